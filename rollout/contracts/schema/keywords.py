"""Which keywords there are: where schemas are inside schemas, and which dialect knows which words."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

ONE = frozenset({
    "additionalProperties", "additionalItems", "propertyNames", "contains", "not", "if", "then", "else",
    "unevaluatedItems", "unevaluatedProperties", "items", "contentSchema",
})  # fmt: skip
MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"})

DEPTH_MAX = 80
"""A schema nested deeper than this is too large: whoever compares it would run out of stack."""


class Dialect(Enum):
    """What a `$schema` means for us. UNSAID: there is none, read as 2020-12; UNSAID_OLD: likewise, in older words."""

    DRAFT4 = 4
    DRAFT6 = 6
    DRAFT7 = 7
    DRAFT2019 = 2019
    DRAFT2020 = 2020
    UNSAID = 1
    UNSAID_OLD = 0
    UNKNOWN = -1

    @property
    def is_old(self) -> bool:
        """Whether siblings of `$ref` mean nothing, and `dependencies` means something."""
        return self in (Dialect.DRAFT4, Dialect.DRAFT6, Dialect.DRAFT7, Dialect.UNSAID_OLD)


_DIALECTS = {
    "json-schema.org/draft-04/schema": Dialect.DRAFT4,
    "json-schema.org/draft-06/schema": Dialect.DRAFT6,
    "json-schema.org/draft-07/schema": Dialect.DRAFT7,
    "json-schema.org/schema": Dialect.UNSAID,
    "json-schema.org/draft/2019-09/schema": Dialect.DRAFT2019,
    "json-schema.org/draft/2020-12/schema": Dialect.DRAFT2020,
}

_SINCE_6 = frozenset({"const", "contains", "propertyNames"})
_SINCE_7 = frozenset({"if", "then", "else"})
_SINCE_2019 = frozenset({
    "dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties", "minContains", "maxContains",
})  # fmt: skip
_SINCE_2020 = frozenset({"prefixItems", "$dynamicRef"})
_ONLY_OLD = frozenset({"dependencies"})
_NOT_2020 = frozenset({"additionalItems", "$recursiveRef"})

FOREIGN: dict[Dialect, frozenset[str]] = {
    Dialect.DRAFT4: _SINCE_6 | _SINCE_7 | _SINCE_2019 | _SINCE_2020,
    Dialect.DRAFT6: _SINCE_7 | _SINCE_2019 | _SINCE_2020,
    Dialect.DRAFT7: _SINCE_2019 | _SINCE_2020,
    Dialect.UNSAID_OLD: _SINCE_2019 | _SINCE_2020,
    Dialect.DRAFT2019: _SINCE_2020 | _ONLY_OLD,
    Dialect.DRAFT2020: _ONLY_OLD | _NOT_2020,
    Dialect.UNSAID: _ONLY_OLD | _NOT_2020,
    Dialect.UNKNOWN: frozenset(),
}
"""Words that mean nothing in a dialect."""

_NEWER = _SINCE_2019 | _SINCE_2020 | {"$defs", "$anchor"}


def said_by(schema: Any) -> Dialect:
    """Return the dialect that a schema says it is written in."""
    declared = schema.get("$schema") if isinstance(schema, dict) else None
    if declared is None:
        return Dialect.UNSAID
    return _DIALECTS.get(str(declared).rstrip("#").partition("://")[2], Dialect.UNKNOWN)


def dialect_of(root: Any) -> Dialect:
    """Return the dialect of a whole document. One that says none is old if it speaks old words, and no new ones."""
    declared = said_by(root)
    if declared is not Dialect.UNSAID:
        return declared
    old = new = False
    for _, schema in subschemas(root):
        if isinstance(schema, dict):
            old = (
                old or "dependencies" in schema or "additionalItems" in schema or isinstance(schema.get("items"), list)
            )
            new = new or bool(_NEWER & schema.keys())
    return Dialect.UNSAID_OLD if old and not new else Dialect.UNSAID


def subschemas(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return every schema in a schema with the steps to it, itself first. Ends at a depth that nothing sensible has."""
    yield path, schema
    if not isinstance(schema, dict) or len(path) > DEPTH_MAX:
        return
    for keyword, value in schema.items():
        if keyword in NAMED and isinstance(value, dict):
            for name, part in value.items():
                if not isinstance(part, list):  # the lists in `dependencies`
                    yield from subschemas(part, (*path, keyword, name))
        elif keyword in MANY and isinstance(value, list):
            for index, part in enumerate(value):
                yield from subschemas(part, (*path, keyword, str(index)))
        elif keyword in ONE and not isinstance(value, list):
            yield from subschemas(value, (*path, keyword))


def is_too_deep(value: Any, limit: int = DEPTH_MAX) -> bool:
    """Whether a JSON value is nested deeper than a limit."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for part in level
            if isinstance(part, dict | list)
            for inner in (part.values() if isinstance(part, dict) else part)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
