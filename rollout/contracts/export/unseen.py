"""What JSON Schema does not show of a pydantic type: validators, strictness, aliases, serializers, settings.

Source: pydantic-core's core schemas (pydantic 2). Each field of each class is told by itself, as features in order, so
that what its JSON Schema shows is compared there and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.values import path_of, text_of
from rollout.contracts.export.core_schema import (
    ALIASES,
    NESTED,
    WITH_FIELDS,
    class_of,
    depends_on_order,
    fields_of,
    forms_of,
    has_aliases,
    holds_fields,
    is_said_by_hand,
    kind_text,
    name_of_choice,
    text_of_function,
    texts_of_validators,
)

NAMED = "named "
"""How a field is called in code, where it is kept under an alias."""
WHOLE = ""
"""The name under which the features of a class itself stand."""

_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of")
_OPTIONS = (
    "strict", "tz_constraint", "now_op", "now_utc_offset", "microseconds_precision", "strip_whitespace", "to_lower",
    "to_upper", "max_digits", "decimal_places",
    "serialization_exclude", "discriminator", "custom_init", "allowed_schemes",
    "default_host", "default_path", "preserve_empty_path", "default_port", "host_required",
)  # fmt: skip
_DEFAULTS = {"microseconds_precision": "truncate", "custom_init": False, "strict": False}
_SAID_ANYHOW = (("allow_inf_nan", True), ("ser_json_bytes", "utf8"), ("ser_json_timedelta", "iso8601"))
"""Settings that say what holds without them."""
_SAID_BY_NO = (("allow_inf_nan", False), ("validate_by_alias", False))
"""Settings that change something where they are off."""
_BOUNDED = frozenset({"decimal", "date", "time", "datetime", "timedelta"})
"""Types whose bounds JSON Schema cannot say."""

_BY_NAME = ("populate_by_name", "validate_by_name")
_OF_ALIASES = frozenset({*_BY_NAME, "validate_by_alias", "serialize_by_alias", "loc_by_alias"})
_HARMLESS_CONFIG = frozenset(
    {
        "title",
        "frozen",
        "hide_input_in_errors",
        "cache_strings",
        "from_attributes",
        "extra_fields_behavior",
        "revalidate_instances",
        "validation_error_cause",
        "validate_default",
    }
)
_OF_JSON = frozenset(
    {
        *_BY_NAME,
        "validate_by_alias",
        "serialize_by_alias",
        "ser_json_bytes",
        "val_json_bytes",
        "ser_json_timedelta",
        "ser_json_temporal",
        "ser_json_inf_nan",
        "loc_by_alias",
    }
)
"""Settings of no consequence where a store keeps objects by the names of their fields."""


def unseen_of(core: Any, *, for_store: bool = False) -> dict[str, str]:
    """Return the features of a class's core schema: of the class itself, and of each field, each as a text.

    Args:
        for_store: as stores keep it that keep Python's objects, by the names of fields; otherwise as JSON.
    """
    try:
        return _Features(for_store).of_class(core)
    except RecursionError:
        return {WHOLE: "nested too deeply"}


def extra_of(core: Any) -> str:
    """Return what a class does with what it does not declare: allow, ignore, or forbid; nothing where it has no say."""
    while isinstance(core, dict):
        if behavior := (core.get("config") or {}).get("extra_fields_behavior") or core.get("extra_behavior"):
            return str(behavior)
        if core.get("type") == "model-fields":
            return "ignore"
        core = core.get("schema")
    return ""


class _Features:
    def __init__(self, for_store: bool) -> None:
        self._for_store = for_store
        self._ignored = _HARMLESS_CONFIG | (_OF_JSON if for_store else frozenset())
        self._by_name, self._has_aliases = False, False
        self._owner: type | None = None
        self._definitions: dict[Any, Any] = {}
        self._followed: set[Any] = set()

    def of_class(self, core: Any) -> dict[str, str]:
        """Return the features of a class, and of each of its fields."""
        definitions = {schema.get("ref"): schema for schema in core.get("definitions", ())}
        self._definitions = definitions
        outer = core.get("schema", {}) if core.get("type") == "definitions" else core
        outer = definitions.get(outer.get("schema_ref"), outer)
        self._has_aliases, self._owner = has_aliases(core), class_of(outer)
        if not holds_fields(outer):
            return {WHOLE: "; ".join(self._of_root(outer))}
        whole: list[str] = []
        while outer.get("type") not in WITH_FIELDS:  # validators of the whole, the class, its settings
            whole += self._own_features(outer)
            outer = outer["schema"]
        whole += self._own_features(outer)
        return {WHOLE: "; ".join(whole), **{name: "; ".join(texts) for name, texts in self._of_fields(outer)}}

    def _of_fields(self, outer: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
        """Return the features of each field, with those before it that its validators look at."""
        before: list[str] = []
        for name, field in fields_of(outer):
            own = {
                key: value for key, value in field.items() if key not in ALIASES or value != name
            }  # an alias that is the field's own name says nothing
            texts = texts_of_validators(field)
            looked_at = sorted(set(before) & texts) or (list(before) if texts else [])
            key = self._key(name, field)
            named = [f"{NAMED}{name}"] if key != name else []
            yield key, [*named, *self._features(own), *(f"after {other}" for other in looked_at)]
            before.append(name)
        for computed in outer.get("computed_fields", ()):
            yield str(computed.get("alias") or computed.get("property_name")), ["computed"]

    def _key(self, name: str, field: dict[str, Any]) -> str:
        """Return the name under which a field is kept."""
        alias = None if self._for_store else field.get("validation_alias")
        return alias if isinstance(alias, str) else name

    def _features(self, schema: Any) -> Iterator[str]:
        """Return what is told of a schema and of what is in it, down to other classes."""
        if isinstance(schema, list | tuple):
            for part in schema:
                yield from self._features(part)
            return
        if not isinstance(schema, dict):
            return
        kind = str(schema.get("type", ""))
        if kind.startswith("function-") and "ref" in schema:
            return  # a validator of another class
        yield from self._own_features(schema)
        if kind in NESTED:
            return
        if kind == "definition-ref":
            yield from self._of_definition(schema.get("schema_ref"))
        if kind in ("arguments", "named-tuple") and not self._for_store:  # a named tuple is a list in JSON
            parts = schema.get("arguments_schema") or schema.get("fields") or ()
            yield "in order " + ", ".join(str(part.get("name")) for part in parts)
        if kind == "dict":
            yield from self._of_keys(schema.get("keys_schema") or {})
        if kind == "tagged-union" and callable(schema.get("discriminator")):
            tags = {str(tag): name_of_choice(choice) for tag, choice in schema["choices"].items()}
            yield f"by {self._function(schema['discriminator'])} {text_of(tags)}"
        if kind == "union" and depends_on_order(schema, for_store=self._for_store):
            yield "first of " + ", ".join(forms_of(schema["choices"]))
        read = "python_schema" if self._for_store else "json_schema"
        for key in ("lax_schema", read):  # the strict one says the same again
            if key in schema:
                yield from self._features(schema[key])
        for key in ("schema", "steps", "arguments_schema"):
            yield from self._features(schema.get(key))
        for place, part in _parts(schema):
            yield from (f"{place}: {feature}" for feature in self._features(part))
        for name, field in fields_of(schema) if "fields" in schema else ():
            yield from (f"{name} {feature}" for feature in self._features(field))

    def _of_root(self, outer: Any) -> Iterator[str]:
        """Return the features of a type without fields: of a RootModel also those of what it holds."""
        while isinstance(outer, dict) and (outer.get("type") == "model" or "ref" in outer) and "schema" in outer:
            yield from self._own_features(outer)
            outer = outer["schema"]
        yield from self._features(outer)

    def _of_definition(self, name: Any) -> Iterator[str]:
        """Return the features of what is defined once and named: not of other classes."""
        schema = self._definitions.get(name)
        inner = schema
        while isinstance(inner, dict) and str(inner.get("type", "")).startswith("function-"):
            inner = inner.get("schema")
        if name in self._followed or not isinstance(inner, dict) or inner.get("type") in NESTED:
            return
        self._followed.add(name)  # while it is looked at: it may be within itself
        yield from self._features({key: part for key, part in schema.items() if key != "ref"} if schema else None)
        self._followed.discard(name)

    def _of_keys(self, keys: dict[str, Any]) -> Iterator[str]:
        """Return the type of an object's keys: JSON has texts only."""
        if keys.get("type") == "str" and keys.get("pattern") is not None:
            yield f"keys {text_of(keys['pattern'])}"  # what JSON Schema says of names is not held of others
        if keys.get("type") not in (None, "str", "any"):
            bounds = "".join(f" {bound}={text_of(keys[bound])}" for bound in _BOUNDS if bound in keys)
            yield f"keys {keys.get('type')}{bounds}"

    def _own_features(self, schema: dict[str, Any]) -> Iterator[str]:
        kind = str(schema.get("type", ""))
        self._by_name |= any((schema.get("config") or {}).get(key) for key in _BY_NAME)
        aliases = [alias for alias in ALIASES if schema.get(alias) is not None]
        if self._for_store and "validation_alias" in aliases and not self._by_name:
            yield "is not made by the names of its fields"  # so it is put together unchecked
        elif not self._for_store:
            yield from (f"{alias}={text_of(schema[alias])}" for alias in aliases)
        if isinstance(others := schema.get("extras_schema"), dict):
            yield f"others {kind_text(others)}"
        if schema.get("default_factory_takes_data"):
            yield f"made by {self._function(schema['default_factory'])}"
        if kind in ("complex", "bytes"):
            yield f"as {kind}"
        for option in _OPTIONS:
            if option in schema and schema[option] not in (None, _DEFAULTS.get(option)):
                yield f"{option}={text_of(schema[option])}"
        if schema.get("allow_inf_nan") is not None and schema["allow_inf_nan"] != (kind == "float"):
            yield f"allow_inf_nan={text_of(schema['allow_inf_nan'])}"
        if kind in _BOUNDED:
            yield from (f"{bound}={text_of(schema[bound])}" for bound in _BOUNDS if bound in schema)
        if kind.startswith("function-") and "function" in schema:
            yield f"{kind} {self._function(schema['function'])}"
        if kind in ("is-instance", "is-subclass") and not is_ours(schema.get("cls")):
            yield f"{kind} {path_of(schema.get('cls'))}"
        if kind == "enum" and schema.get("missing") is not None:
            yield f"missing {self._function(schema['missing'])}"
        if kind == "default" and schema.get("validate_default"):
            yield "validate_default"
        if isinstance(serialization := schema.get("serialization"), dict):
            when = str(serialization.get("when_used", "always"))
            if not str(getattr(serialization.get("function"), "__module__", "")).startswith("pydantic._internal"):
                yield f"serialized {serialization.get('type')} {when} {self._function(serialization.get('function'))}"
        if schema.get("serialization_exclude_if") is not None:
            yield f"left out if {self._function(schema['serialization_exclude_if'])}"
        if kind == "json":
            yield f"a text of JSON of {kind_text(schema.get('schema'))}"
        if is_said_by_hand(schema):
            yield f"in fact {self._in_fact(schema)}"
        if isinstance(read := schema.get("json_schema_input_schema"), dict):
            yield f"said to read {kind_text(read)}, in fact {kind_text(schema.get('schema'))}"
        if isinstance(pattern := schema.get("pattern"), re.Pattern) and pattern.flags & ~re.UNICODE:
            yield f"pattern flags {pattern.flags}"
        if kind == "typed-dict" and schema.get("extra_behavior") in ("allow", "forbid"):
            yield f"extra {schema['extra_behavior']}"
        if config := self._config(schema.get("config") or {}):
            yield f"config {text_of(config)}"

    def _in_fact(self, schema: dict[str, Any]) -> str:
        """Return what a type reads whose JSON Schema may say anything."""
        known = self._definitions.get(schema.get("schema_ref"), schema)
        while isinstance(known, dict) and known.get("type") not in WITH_FIELDS and "schema" in known:
            known = known["schema"]
        if known.get("type") in WITH_FIELDS:
            return ", ".join(f"{name}: {kind_text(field.get('schema'))}" for name, field in fields_of(known))
        return kind_text(schema)

    def _function(self, function: Any) -> str:
        return text_of_function(function, self._owner)

    def _config(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of a class that change what is read, or written."""
        ignored = self._ignored if self._has_aliases else self._ignored | _OF_ALIASES
        settings_told = ((key, value) for key, value in sorted(settings.items()) if key not in ignored)
        return {
            key: value
            for key, value in settings_told
            if (value not in (False, None) or (key, value) in _SAID_BY_NO) and (key, value) not in _SAID_ANYHOW
        }


def _parts(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return what is in a list, an object of names, a tuple or a union, each with its place."""
    for key, place in (("keys_schema", "names"), ("values_schema", "values")):
        if key in schema:
            yield place, schema[key]
    inner = schema.get("items_schema")
    if isinstance(inner, list):
        yield from ((f"item {number}", part) for number, part in enumerate(inner))
    elif inner is not None:
        yield "items", inner
    choices = schema.get("choices", ())
    for number, choice in choices.items() if isinstance(choices, dict) else enumerate(choices):
        yield f"choice {number}", choice
