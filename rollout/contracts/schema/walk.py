"""What is wrong with a schema as a schema. One pass, bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rollout.contracts.schema.document import pointer_of
from rollout.contracts.schema.keywords import MANY, NAMED, subschemas
from rollout.errors import Fault

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

FAULTS_MAX = 20

_COUNTS = frozenset({
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
})  # fmt: skip
_TEXTS = frozenset({"$ref", "$schema", "$id", "pattern", "format", "$anchor", "$dynamicRef"})


def faults_of(root: Any, path: str) -> list[Fault]:
    """Return what is wrong with a schema as a schema; the first faults, where there are many."""
    faults: list[Fault] = []
    for steps, schema in subschemas(root):
        if isinstance(schema, bool):
            continue
        where = f"{path}#{pointer_of(steps)}"
        if not isinstance(schema, dict):
            faults.append(Fault(where, "is not a schema", "a schema is an object, true or false", schema))
        else:
            faults += [Fault(f"{where}/{key}", what, how, schema[key]) for key, what, how in _wrong(schema)]
        if len(faults) >= FAULTS_MAX:
            break
    return faults


_COUNT = ("is not a count", "write a whole number, 0 or more")
_NUMBER = ("must be a number", "write a number")
_ABOVE_0 = ("must be a number above 0", "write one")
_TEXT = ("must be a string", "write a string")
_LIST = ("must be a list", "write a list of values")
_TRUTH = ("must be a boolean", "write true or false")
_NAMES = ("must be a list of names", "write a list of property names")
_MAPPING = ("must be a mapping", "write names and schemas")
_SCHEMAS = ("is not a list of schemas", "write at least one schema")


def _wrong(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Return the keywords that are not well formed, what is wrong with each, and the remedy."""
    declared = schema.get("type")
    if declared is not None:
        types = [declared] if not isinstance(declared, list) else declared
        if not types or any(not isinstance(name, str) or name not in TYPES for name in types):
            yield "type", "is no JSON type", f"use {', '.join(TYPES)}, or a list of them"
    for key, value in schema.items():
        rule = _RULES.get(key)
        if rule is not None and not rule[0](value):
            yield key, *rule[1]


def _is_number(value: Any) -> bool:
    return hasattr(value, "__trunc__") and not isinstance(value, bool)


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)


_RULES: dict[str, tuple[Callable[[Any], bool], tuple[str, str]]] = {
    **dict.fromkeys(_COUNTS, (lambda value: _is_number(value) and value >= 0 and value == int(value), _COUNT)),
    **dict.fromkeys(("minimum", "maximum"), (_is_number, _NUMBER)),
    **dict.fromkeys(
        ("exclusiveMinimum", "exclusiveMaximum"), (lambda value: _is_number(value) or isinstance(value, bool), _NUMBER)
    ),
    "multipleOf": (lambda value: _is_number(value) and value > 0, _ABOVE_0),
    **dict.fromkeys(_TEXTS, (lambda value: isinstance(value, str), _TEXT)),
    "enum": (lambda value: isinstance(value, list), _LIST),
    "uniqueItems": (lambda value: isinstance(value, bool), _TRUTH),
    "required": (lambda value: _is_list_of(value, str), _NAMES),
    **dict.fromkeys(NAMED, (lambda value: isinstance(value, dict), _MAPPING)),
    "dependentRequired": (
        lambda value: isinstance(value, dict) and all(_is_list_of(entry, str) for entry in value.values()),
        _MAPPING,
    ),
    **dict.fromkeys(MANY - {"items"}, (lambda value: isinstance(value, list) and bool(value), _SCHEMAS)),
}
"""What each keyword's value must be, and what to say where it is not."""
