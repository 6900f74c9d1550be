"""Which classes of two versions stand in the same place, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_INNER = ("items", "additionalProperties")
_SEVERAL = ("anyOf", "oneOf", "prefixItems", "allOf")


def counterparts(one: Any, two: Any) -> Iterator[tuple[str, str]]:
    """Return the names of definitions of two schemas that stand in the same place, where they differ."""
    seen = set[tuple[str, str]]()
    pending = [(one, two)]
    while pending:
        before, after = pending.pop()
        if not isinstance(before, dict) or not isinstance(after, dict):
            continue
        names = (_name(before), _name(after))
        if all(names) and names not in seen:
            seen.add(names)
            if names[0] != names[1]:
                yield names
            pending.append((_definition(one, names[0]), _definition(two, names[1])))
        for key, value in (before.get("properties") or {}).items():
            pending.append((value, (after.get("properties") or {}).get(key)))
        pending += [(before[key], after[key]) for key in _INNER if key in before and key in after]
        for key in _SEVERAL:
            parts = before.get(key) or [], after.get(key) or []
            if len(parts[0]) == len(parts[1]):
                pending += zip(*parts, strict=True)


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).removeprefix("#/$defs/")


def _definition(schema: Any, name: str) -> Any:
    return schema.get("$defs", {}).get(name) if isinstance(schema, dict) else None
