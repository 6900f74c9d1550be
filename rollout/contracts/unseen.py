"""Rules for what JSON Schema does not show of a field: validators, strictness, bounds of what is no JSON number.

A contract tells it as features of a field, in order. Of most one knows only that they differ. Bounds can be compared,
and what is read less strictly reads what was written before.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Class, State
from rollout.model.agent_state import Severity

_LOWER = frozenset({"gt", "ge"})
_UPPER = frozenset({"lt", "le", "max_digits", "decimal_places"})
_FEATURE = re.compile(r"(?P<at>(items: |values: )*)(?P<name>[a-z_]+)=(?P<type>[A-Za-z]+)\((?P<value>.*)\)", re.DOTALL)


def unseen(side: Side, where: str, one: Class | State, two: Class | State) -> None:
    """Note fields of both versions that are checked, or written, in another way than schemas show."""
    if one.extra == "allow" and two.extra == "ignore":
        change = ("keeps what it does not declare", "drops it")
        side.find("KEY_REMOVED" if side.is_backward else "KEY_ADDED", Severity.RISK, f"{where}/extra", *change)
    for name in sorted(one.unseen.keys() & two.unseen.keys()):
        if one.unseen[name] != two.unseen[name] and not reads_more(one.unseen[name], two.unseen[name]):
            change = (one.unseen[name] or "nothing more", two.unseen[name] or "nothing more")
            side.find("CHECKS_CHANGED", Severity.UNKNOWN, f"{where}/unseen/{name}", *change)


def reads_more(wrote: str, reads: str) -> bool:
    """Whether a field that reads by some features takes all that one with other features has let through, as it is."""
    before, after = wrote.split("; ") if wrote else [], reads.split("; ") if reads else []
    left = [feature for feature in before if feature not in after]
    new = [feature for feature in after if feature not in before]
    if [feature for feature in before if feature in after] != [feature for feature in after if feature in before]:
        return False
    bounds = {match["at"] + match["name"]: match for feature in left if (match := _FEATURE.fullmatch(feature))}
    if any("decimal_places" in feature for feature in new) and any("max_digits" in feature for feature in after):
        return False  # more places leave fewer digits before the point
    if not all(re.fullmatch(r"(items: |values: )*strict=bool\(True\)", feature) or _bound(feature) for feature in left):
        return False
    return all(
        _is_within(bounds.get(match["at"] + match["name"]), match) for feature in new if (match := _bound(feature))
    ) and all(_bound(feature) for feature in new)


def _bound(feature: str) -> re.Match[str] | None:
    match = _FEATURE.fullmatch(feature)
    return match if match is not None and match["name"] in _LOWER | _UPPER else None


def _is_within(before: re.Match[str] | None, after: re.Match[str]) -> bool:
    """Whether what one bound lets through, another one of the same name does too."""
    if before is None or before["type"] != after["type"]:
        return False
    one, two = _value(before), _value(after)
    if one is None or two is None or type(one) is not type(two):
        return False
    return bool(two <= one if after["name"] in _LOWER else two >= one)  # type: ignore[operator]


def _value(bound: re.Match[str]) -> Decimal | dt.date | None:
    """Return the value of a bound, as `repr` has written it; None where that is not told."""
    try:
        if bound["type"] in ("int", "float"):
            return Decimal(bound["value"])
        if bound["type"] == "Decimal":
            return Decimal(bound["value"].removeprefix("Decimal('").removesuffix("')"))
        if bound["type"] == "date":
            numbers = bound["value"].removeprefix("datetime.date(").removesuffix(")")
            return dt.date(*(int(number) for number in numbers.split(", ")))
    except (InvalidOperation, ValueError, TypeError):
        return None
    return None
