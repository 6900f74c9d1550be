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
from rollout.contracts.export.code.names.written import is_written
from rollout.contracts.export.code.source import reading_of
from rollout.contracts.export.code.values import ValueText, path_of, text_of

_SAID_BY_HAND = ("pydantic_js_annotation_functions", "pydantic_js_functions")
"""Where pydantic keeps what a type says of its own JSON Schema, which may be anything."""

_HIDING = frozenset({"WithJsonSchema", "SkipJsonSchema"})
_WORDS = frozenset({"title", "description", "examples", "example", "deprecated", "readOnly", "writeOnly"})

WITH_FIELDS = frozenset({"model-fields", "dataclass-args", "typed-dict"})

NESTED = frozenset({"model", "dataclass"})

STRUCTURED = frozenset({"model", "dataclass", "typed-dict", "dict", "definition-ref", "tagged-union"})

ALIASES = ("validation_alias", "serialization_alias")


def is_said_by_hand(schema: dict[str, Any]) -> bool:
    """Whether the JSON Schema of a type was written by people: it may say anything."""
    metadata = schema.get("metadata") or {}
    functions = (function for key in _SAID_BY_HAND for function in metadata.get(key, ()))
    owners = (getattr(function, "__self__", function) for function in functions)
    by_hand = any(map(_says_by_hand, owners))
    extra = metadata.get("pydantic_js_extra") or getattr(schema.get("cls"), "model_config", {}).get("json_schema_extra")
    return by_hand or callable(extra) or (isinstance(extra, dict) and not extra.keys() <= _WORDS)


def _says_by_hand(owner: Any) -> bool:
    """Whether what changes a JSON Schema is the agent's; a model hands in its own, which says nothing of itself."""
    if inspect.isclass(owner) and hasattr(owner, "__pydantic_core_schema__"):
        return any("__get_pydantic_json_schema__" in vars(base) for base in owner.__mro__ if is_ours(base))
    return getattr(owner, "__name__", type(owner).__name__) in _HIDING or is_ours(owner)


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
        "complex",
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


_WRAPPED = {"lax-or-strict": "lax_schema", "json-or-python": "json_schema"}


def kind_of_choice(choice: Any) -> str:
    """Return the kind of a union's choice, without what is around it."""
    plain = choice[0] if isinstance(choice, tuple) else choice
    for _ in range(20):
        kind = str(plain.get("type"))
        inner = plain.get(_WRAPPED.get(kind, "schema"))
        if kind == "chain":
            inner = (plain.get("steps") or [None])[0]
        wraps = kind in _WRAPPED or kind == "chain" or kind.startswith(("function-", "default", "nullable"))
        if not wraps or not isinstance(inner, dict):
            return kind
        plain = inner
    return str(plain.get("type"))


def name_of_choice(choice: Any) -> str:
    """Return a class by its name and fields; other choices by what they read."""
    plain = choice[0] if isinstance(choice, tuple) else choice
    if "cls" in plain:
        fields = getattr(plain["cls"], "model_fields", {})
        return f"{getattr(plain['cls'], '__name__', '')}({', '.join(sorted(fields))})"
    named = str(plain.get("schema_ref", plain.get("ref", ""))).rpartition(":")[0]
    return named or kind_text(plain)


def forms_of(choices: list[Any]) -> list[str]:
    """Return choices by their fields; by their names too where some have the same fields."""
    names = [name_of_choice(choice) for choice in choices]
    is_class = ["cls" in (choice[0] if isinstance(choice, tuple) else choice) for choice in choices]
    forms = [name[name.index("(") :] if known else name for name, known in zip(names, is_class, strict=True)]
    return forms if len(set(forms)) == len(forms) else names


def texts_of_validators(schema: Any) -> set[str]:
    """Return the texts in the source of a field's validators, and of what makes its default, of the fields before it.

    An empty one stands for a function that is told of those fields, whatever texts it has.
    """
    if isinstance(schema, list | tuple):
        return {text for part in schema for text in texts_of_validators(part)}
    if not isinstance(schema, dict) or str(schema.get("type")) in NESTED:
        return set()
    function = schema.get("function")
    own = set[str]()
    if isinstance(function, dict) and function.get("type") == "with-info":
        own = {"", *reading_of(function["function"]).literals}
    if schema.get("default_factory_takes_data"):
        own |= {"", *reading_of(schema["default_factory"]).literals}
    return own | {text for key, part in schema.items() if key != "function" for text in texts_of_validators(part)}


def text_of_function(function: Any, owner: type | None = None) -> str:
    """Return what stands for a validator or a serializer: its code if it is the agent's, else its name.

    Args:
        owner: the class whose method it is.
    """
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
        return " ".join([path_of(plain), *_held_by(plain)])
    return reading_of(plain, owner=owner).digest


def _held_by(plain: Any) -> list[str]:
    """Return what a function of a library, or of Python, goes by: what it is a method of, and what it has around it."""
    cells = getattr(getattr(plain, "__func__", plain), "__closure__", None) or ()
    held = [cell.cell_contents for cell in cells if _is_filled(cell)]
    owner = getattr(plain, "__self__", None)
    if owner is not None and not inspect.ismodule(owner) and not inspect.isclass(owner):
        held.append(owner)
    texts = []
    for value in held:
        if inspect.isroutine(value) or inspect.isclass(value):
            texts.append(text_of_function(value))
            continue
        texts.append(ValueText(is_written).of(value))
        names = [*getattr(value, "__dict__", ()), *getattr(type(value), "__slots__", ())]
        texts += [text_of_function(part) for name in names if callable(part := getattr(value, name, None))]
    return texts


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def class_of(schema: Any) -> type | None:
    """Return the class that a schema is of."""
    while isinstance(schema, dict):
        if inspect.isclass(schema.get("cls")):
            return schema["cls"]  # type: ignore[no-any-return]
        schema = schema.get("schema")
    return None


_KINDS_WITHIN = (
    "schema",
    "lax_schema",
    "json_schema",
    "items_schema",
    "keys_schema",
    "values_schema",
    "choices",
    "steps",
)
_SAID_OF_KINDS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern", "expected", "version")


def kind_text(schema: Any, depth: int = 6) -> str:
    """Return what a schema reads, in short: its kind, its bounds, and those of what is in it."""
    if isinstance(schema, list | tuple):
        return f"[{', '.join(kind_text(part, depth) for part in schema)}]"
    if not isinstance(schema, dict):
        return ""
    if "type" not in schema and all(isinstance(part, dict) for part in schema.values()):
        return kind_text(list(schema.values()), depth)  # of a tagged union
    kind = str(schema.get("type"))
    if kind in NESTED or depth == 0:
        return f"{kind} {getattr(schema.get('cls'), '__name__', '')}"
    bounds = "".join(f" {name}={text_of(schema[name])}" for name in _SAID_OF_KINDS if schema.get(name) is not None)
    inner = [kind_text(schema[key], depth - 1) for key in _KINDS_WITHIN if schema.get(key) is not None]
    return f"{kind}{bounds}" + (f"({', '.join(inner)})" if inner else "")
