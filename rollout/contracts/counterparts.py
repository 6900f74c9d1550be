"""Which classes of two versions stand in the same place, whatever they are called."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollout.contracts.schema.document import PYTHON_CLASS

_Form = tuple[str, dict[str, Any]]
"""A class, or nothing, and the form of what stands there."""

_CHOICES = ("anyOf", "oneOf")
_FOLLOWED_MAX = 20


@dataclass(frozen=True)
class Counterpart:
    """A place in which both versions have something.

    Attributes:
        old, new: the class there in each, by its path in the contract; nothing where there is none.
        before, after: the form of each.
        is_choice: whether it is one of several that may stand there.
    """

    old: str
    new: str
    before: dict[str, Any]
    after: dict[str, Any]
    is_choice: bool = False


def counterparts(one: Any, two: Any) -> Iterator[Counterpart]:
    """Return the places in which a class stands in the second schema, and something in the first one."""
    seen = set[tuple[str, str]]()
    pending = [(one, two)]
    while pending:
        before, after = pending.pop()
        for place in _together(_alternatives(before, one), _alternatives(after, two)):
            if place.new:
                if (place.old, place.new) in seen:
                    continue
                seen.add((place.old, place.new))
                yield place
            pending += _within(place.before, place.after)


def _alternatives(schema: Any, root: Any) -> list[_Form]:
    """Return what may stand somewhere, each with the class that it is; references are followed."""
    for _ in range(_FOLLOWED_MAX):
        if not isinstance(schema, dict):
            return []
        reference = str(schema.get("$ref", ""))
        if not reference.startswith("#/$defs/"):
            break
        name = reference.removeprefix("#/$defs/")
        schema = root.get("$defs", {}).get(name)
        if isinstance(schema, dict) and not set(_CHOICES) & schema.keys():
            return [(str(schema.get(PYTHON_CLASS, name)), schema)]
    choices = [choice for key in _CHOICES for choice in schema.get(key, ())]
    if not choices:
        return [] if schema.get("type") == "null" else [(str(schema.get(PYTHON_CLASS, "")), schema)]
    return [alternative for choice in choices for alternative in _alternatives(choice, root)]


def _together(
    before: list[tuple[str, dict[str, Any]]], after: list[tuple[str, dict[str, Any]]]
) -> Iterator[Counterpart]:
    """Return the places at which the alternatives of two versions meet: by class, else each with each."""
    olds, news = ({name: schema for name, schema in known if name} for known in (before, after))
    common = olds.keys() & news.keys()
    for name in sorted(common):
        yield Counterpart(name, name, olds[name], news[name], is_choice=len(common) > 1)
    left, right = sorted(olds.keys() - common), sorted(news.keys() - common)
    for old, new in itertools.product(left, right):
        yield Counterpart(old, new, olds[old], news[new])
    plain, others = ([schema for name, schema in known if not name] for known in (before, after))
    kinds = {str(schema.get("type")) for schema in others}
    for schema in plain:
        if str(schema.get("type")) not in kinds and not left:
            yield from (Counterpart("", new, schema, news[new]) for new in right)
        yield from (Counterpart("", "", schema, other) for other in others if other.get("type") == schema.get("type"))


def _within(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Return what stands under the same names, or at the same places, in two forms."""
    properties, others = before.get("properties") or {}, after.get("properties") or {}
    yield from ((properties[name], others[name]) for name in properties.keys() & others.keys())
    if "items" in before and "items" in after:
        yield before["items"], after["items"]
    yield from zip(before.get("prefixItems") or (), after.get("prefixItems") or (), strict=False)
    values, names = _values(before), _values(after)
    yield from itertools.product(values, names)


def _values(schema: dict[str, Any]) -> list[Any]:
    """Return what may stand under names that are not told."""
    return [*(schema.get("patternProperties") or {}).values(), schema.get("additionalProperties")]
