"""Rules for what JSON Schema does not show of a field: validators, strictness, bounds of what is no JSON number.

A contract tells it as features of a field, in order. Of most one knows only that they differ. Bounds can be compared,
and what is read less strictly reads what was written before.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Class, State
from rollout.model.agent_state import Severity

_LOWER = frozenset({"gt", "ge"})
_UPPER = frozenset({"lt", "le", "max_digits", "decimal_places"})
_TIMES: dict[str, Callable[..., dt.date | dt.timedelta]] = {
    "date": dt.date, "datetime": dt.datetime, "timedelta": dt.timedelta,
}  # fmt: skip
_MADE = re.compile(r"datetime\.\w+\((?P<arguments>[\w=, ]*)\)")
_STRICT = re.compile(r"(items: |values: )*(strict=bool\(True\)|multiple_of=.*)")
_FEATURE = re.compile(r"(?P<at>(items: |values: )*)(?P<name>[a-z_]+)=(?P<type>[A-Za-z]+)\((?P<value>.*)\)", re.DOTALL)

_NAMED = re.compile(r"named (?P<name>\w+)(; |$)")


def unseen(side: Side, where: str, one: Class | State, two: Class | State) -> None:
    """Note fields of both versions that are checked, or written, in another way than schemas show."""
    if one.extra == "allow" and two.extra == "ignore":
        change = ("keeps what it does not declare", "drops it")
        side.find("KEY_REMOVED" if side.is_backward else "KEY_ADDED", Severity.RISK, f"{where}/extra", *change)
    # Of what was no class, nothing was checked.
    known = one.unseen or dict.fromkeys(two.unseen, "")
    before, after = _names(known), _names(two.unseen)
    for name in sorted(known.keys() & two.unseen.keys()):
        is_swapped = before.get(name) != after.get(name) and after.get(name) in before.values()
        features = [_NAMED.sub("", texts[name]) for texts in (known, two.unseen)]
        if is_swapped or (features[0] != features[1] and not reads_more(*features)):
            change = (known[name] or "nothing more", two.unseen[name] or "nothing more")
            side.find("CHECKS_CHANGED", Severity.UNKNOWN, f"{where}/unseen/{name}", *change)


def _names(unseen: dict[str, str]) -> dict[str, str]:
    """Return what fields are called in code, by the names that they are kept under."""
    return {name: match["name"] for name, text in unseen.items() if (match := _NAMED.match(text))}


def reads_more(wrote: str, reads: str) -> bool:
    """Whether a field that reads by some features takes all that one with other features has let through, as it is."""
    before, after = wrote.split("; ") if wrote else [], reads.split("; ") if reads else []
    left = [feature for feature in before if feature not in after]
    new = [feature for feature in after if feature not in before]
    if [feature for feature in before if feature in after] != [feature for feature in after if feature in before]:
        return False
    bounds = {_place(match): match for feature in left if (match := _FEATURE.fullmatch(feature))}
    if any("decimal_places" in feature for feature in new) and any("max_digits" in feature for feature in after):
        return False  # more places leave fewer digits before the point
    if not all(_STRICT.fullmatch(feature) or _bound(feature) for feature in left):
        return False
    return all(_is_within(bounds.get(_place(match)), match) for feature in new if (match := _bound(feature))) and all(
        _bound(feature) for feature in new
    )


def _bound(feature: str) -> re.Match[str] | None:
    match = _FEATURE.fullmatch(feature)
    return match if match is not None and match["name"] in _LOWER | _UPPER else None


def _is_within(before: re.Match[str] | None, after: re.Match[str]) -> bool:
    """Whether what one bound lets through, another one of the same name does too."""
    if before is None:
        return False
    one, two = _value(before), _value(after)
    if one is None or two is None or type(one) is not type(two):
        return False
    if one == two:
        return after["name"] in ("ge", "le") or after["name"] == before["name"]
    return bool(two < one if after["name"] in _LOWER else two > one)  # type: ignore[operator]


def _place(bound: re.Match[str]) -> str:
    """Return what is bounded, and on which side."""
    side = {"gt": "least", "ge": "least", "lt": "most", "le": "most"}
    return bound["at"] + side.get(bound["name"], bound["name"])


def _value(bound: re.Match[str]) -> Decimal | dt.date | dt.timedelta | None:
    """Return the value of a bound, as `repr` has written it; None where that is not told."""
    try:
        if bound["type"] in _TIMES and (match := _MADE.fullmatch(bound["value"])) is not None:
            parts = [word.partition("=") for word in match["arguments"].split(", ")]
            numbers = [int(word) for word, is_named, _ in parts if not is_named]
            named = {word: int(number) for word, is_named, number in parts if is_named}
            return _TIMES[bound["type"]](*numbers, **named)
        if bound["type"] in ("int", "float"):
            return Decimal(bound["value"])
        if bound["type"] == "Decimal":
            return Decimal(bound["value"].removeprefix("Decimal('").removesuffix("')"))
    except (InvalidOperation, ValueError, TypeError):
        return None
    return None
