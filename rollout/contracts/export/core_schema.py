"""Looking at pydantic's core schemas: fields, alternatives, functions.

Source: pydantic-core's core schemas (pydantic 2).
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.code.names.ownership import LIBRARIES, is_ours
from rollout.contracts.export.code.source import reading_of
from rollout.contracts.export.code.values import path_of, text_of

_SAID_BY_HAND = ("pydantic_js_annotation_functions", "pydantic_js_functions")
"""Where pydantic keeps what a type says of its own JSON Schema, which may be anything."""

WITH_FIELDS = frozenset({"model-fields", "dataclass-args", "typed-dict"})

NESTED = frozenset({"model", "dataclass"})

STRUCTURED = frozenset({"model", "dataclass", "typed-dict", "dict", "definition-ref", "tagged-union"})

ALIASES = ("validation_alias", "serialization_alias")


def is_said_by_hand(schema: dict[str, Any]) -> bool:
    """Whether the JSON Schema of a type was written by people: it may say anything."""
    metadata = schema.get("metadata") or {}
    functions = (function for key in _SAID_BY_HAND for function in metadata.get(key, ()))
    owners = (getattr(function, "__self__", function) for function in functions)
    return any(type(owner).__name__ == "WithJsonSchema" or is_ours(owner) for owner in owners)


def has_aliases(schema: Any) -> bool:
    """Whether any field is read or written under another name than its own."""
    if isinstance(schema, list | tuple):
        return any(map(has_aliases, schema))
    if not isinstance(schema, dict):
        return False
    named = fields_of(schema) if str(schema.get("type")) in WITH_FIELDS else ()
    if any(field.get(alias) not in (None, name) for name, field in named for alias in ALIASES):
        return True
    return any(
        has_aliases(part) for key, part in schema.items() if key not in ("function", "metadata", "config", "cls")
    )


def holds_fields(schema: Any) -> bool:
    while isinstance(schema, dict):
        if schema.get("type") in WITH_FIELDS:
            return True
        schema = schema.get("schema")
    return False


def fields_of(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    fields = schema["fields"]
    yield from fields.items() if isinstance(fields, dict) else ((field["name"], field) for field in fields)


_TEXTS = frozenset(
    {
        "str",
        "date",
        "datetime",
        "time",
        "timedelta",
        "uuid",
        "url",
        "multi-host-url",
        "bytes",
        "decimal",
        "enum",
        "literal",
    }
)
_LISTS = frozenset({"list", "set", "frozenset", "tuple", "generator"})
"""Types that are written alike in JSON, so that which of them is read is a matter of the others."""


def depends_on_order(schema: dict[str, Any], *, for_store: bool) -> bool:
    """Whether the first of several that fit is taken: always from left to right, else among those with members."""
    structured = [choice for choice in schema["choices"] if kind_of_choice(choice) in STRUCTURED]
    kinds = [kind_of_choice(choice) for choice in schema["choices"]]
    alike = not for_store and any(len([kind for kind in kinds if kind in family]) > 1 for family in (_TEXTS, _LISTS))
    return schema.get("mode") == "left_to_right" or len(structured) > 1 or alike


def kind_of_choice(choice: Any) -> str:
    plain = choice[0] if isinstance(choice, tuple) else choice
    while plain.get("type", "").startswith(("function-", "default", "nullable")) and isinstance(
        plain.get("schema"), dict
    ):
        plain = plain["schema"]
    return str(plain.get("type"))


def name_of_choice(choice: Any) -> str:
    plain = choice[0] if isinstance(choice, tuple) else choice
    if "cls" in plain:
        fields = getattr(plain["cls"], "model_fields", {})
        return f"{getattr(plain['cls'], '__name__', '')}({', '.join(sorted(fields))})"
    return str(plain.get("schema_ref", plain.get("ref", plain.get("type")))).rpartition(":")[0] or kind_of_choice(
        choice
    )


def forms_of(choices: list[Any]) -> list[str]:
    """Return choices by their fields; by their names too where some have the same fields."""
    names = [name_of_choice(choice) for choice in choices]
    forms = [f"({fields}" if fields else name for name, _, fields in (name.partition("(") for name in names)]
    return forms if len(set(forms)) == len(forms) else names


def texts_of_validators(schema: Any) -> set[str]:
    """Return the texts in the source of a field's validators that are told of the fields before it."""
    if isinstance(schema, list | tuple):
        return {text for part in schema for text in texts_of_validators(part)}
    if not isinstance(schema, dict) or str(schema.get("type")) in NESTED:
        return set()
    function = schema.get("function")
    own = set[str]()
    if isinstance(function, dict) and function.get("type") == "with-info":
        own = reading_of(function["function"]).literals
    return own | {text for key, part in schema.items() if key != "function" for text in texts_of_validators(part)}


def text_of_function(function: Any) -> str:
    """Return what stands for a validator or a serializer: its code if it is the agent's, else its name."""
    plain = function.get("function") if isinstance(function, dict) else function
    if plain is None:
        return ""
    module = str(getattr(plain, "__module__", "") or "").partition(".")[0]
    if isinstance(plain, functools.partial):
        return f"partial {text_of_function(plain.func)} {text_of((plain.args, sorted(plain.keywords.items())))}"
    if isinstance(plain, operator.methodcaller | operator.itemgetter | operator.attrgetter):
        return repr(plain)
    if inspect.isclass(plain) and is_ours(plain):
        return reading_of(plain).digest
    if inspect.isclass(plain) or inspect.isbuiltin(plain) or module in LIBRARIES or not is_ours(plain):
        return path_of(plain)
    return reading_of(plain).digest
