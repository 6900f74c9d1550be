"""Types as JSON Schemas, by pydantic, with what JSON cannot say: which classes, which of Python's containers."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from rollout.contracts.export.code.names.written import is_written
from rollout.contracts.export.code.values import ValueText
from rollout.contracts.export.hints import (
    bare,
    hints_of,
    instance_of,
    kind_kept,
    modern,
    named_tuples,
    required_of,
)
from rollout.contracts.schema.document import PYTHON_CLASS
from rollout.contracts.schema.scalars import PYTHON_TYPE

Mode = Literal["validation", "serialization"]

LIBRARIES = ("langchain_core.", "langchain.", "langgraph.")
"""Types of these packages are compared by name: their shape changes with every release, and they read it themselves."""


_NUMBER_IN_TEXT = {"type": "string", "format": "number-in-text"}
"""A Decimal in JSON; its bounds are told beside the schema."""


class Generator(GenerateJsonSchema):
    """Pydantic's generator, which also notes the classes it meets. What has no schema may be anything."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  pydantic's

    is_writer = False
    keeps_objects = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.classes: dict[str, tuple[str, Any]] = {}

    def _library(self, class_: Any) -> JsonSchemaValue | None:
        module = getattr(class_, "__module__", "")
        if not module.startswith(LIBRARIES):
            return None
        return {PYTHON_TYPE: ".".join((*module.split(".")[:2], class_.__name__))}

    def _note(self, model: Any, kind: str) -> None:
        self.classes[self._path(model)] = (kind, model)

    def _path(self, class_: Any) -> str:
        """Return what a class is known by: stores write its name, two of the same name or not."""
        return f"{class_.__module__}.{class_.__name__ if self.keeps_objects else class_.__qualname__}"

    def _marked_as(self, json_schema: JsonSchemaValue, class_: Any) -> JsonSchemaValue:
        return json_schema if self.keeps_objects else {**json_schema, PYTHON_CLASS: self._path(class_)}

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        if (opaque := self._library(schema["cls"])) is not None:
            return opaque
        self._note(schema["cls"], "pydantic")
        return self._whole(super().model_schema(schema), "pydantic", schema["cls"])

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        if (opaque := self._library(schema["cls"])) is not None:
            return opaque
        self._note(schema["cls"], "dataclass")
        json_schema = self._whole(super().dataclass_schema(schema), "dataclass", schema["cls"])
        if not self.is_writer:
            json_schema["additionalProperties"] = False  # rebuilt by its constructor, which takes no others
            taken = {field.name for field in dataclasses.fields(schema["cls"]) if field.init}
            properties = json_schema.get("properties", {})
            json_schema["properties"] = {name: part for name, part in properties.items() if name in taken}
        return json_schema

    def _whole(self, json_schema: JsonSchemaValue, kind: str, type_: Any) -> JsonSchemaValue:
        """Return the schema of a class: a store keeps all of its fields but excluded ones, and that it is one."""
        if self.is_writer and "properties" in json_schema:
            left = {name for name, field in getattr(type_, "model_fields", {}).items() if field.exclude}
            json_schema["properties"] = {
                name: property_schema for name, property_schema in json_schema["properties"].items() if name not in left
            }
            json_schema["required"] = sorted(json_schema["properties"])
        return self._marked_as({**json_schema, PYTHON_TYPE: kind}, type_)

    def field_is_required(self, field: Any, total: bool) -> bool:
        """Whether a field is always there: a tag with a default is written, and alternatives are told by it."""
        inner = field.get("schema", {})
        is_tag = inner.get("type") == "default" and inner.get("schema", {}).get("type") == "literal"
        return (self.mode == "serialization" and is_tag) or super().field_is_required(field, total)

    def enum_schema(self, schema: Any) -> JsonSchemaValue:
        self._note(schema["cls"], "enum")
        return self._marked_as({**super().enum_schema(schema), PYTHON_TYPE: "enum"}, schema["cls"])

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        return _one_library(super().tagged_union_schema(schema), self.definitions)

    def datetime_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().datetime_schema(schema), PYTHON_TYPE: "datetime"}

    def date_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().date_schema(schema), PYTHON_TYPE: "date"}

    def time_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().time_schema(schema), PYTHON_TYPE: "time"}

    def timedelta_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().timedelta_schema(schema), PYTHON_TYPE: "timedelta"}

    def uuid_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().uuid_schema(schema), PYTHON_TYPE: "uuid"}

    def decimal_schema(self, schema: Any) -> JsonSchemaValue:
        del schema
        if not self.keeps_objects:
            return {"anyOf": [{"type": "number"}, _NUMBER_IN_TEXT]} if self.mode == "validation" else _NUMBER_IN_TEXT
        return {PYTHON_TYPE: "decimal"}

    def bytes_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().bytes_schema(schema), PYTHON_TYPE: "bytes"}

    def tuple_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().tuple_schema(schema), PYTHON_TYPE: "tuple"}

    def lax_or_strict_schema(self, schema: Any) -> JsonSchemaValue:
        return self._marked(super().lax_or_strict_schema(schema), schema)

    def json_or_python_schema(self, schema: Any) -> JsonSchemaValue:
        return self._marked(super().json_or_python_schema(schema), schema)

    def _marked(self, json_schema: JsonSchemaValue, schema: Any) -> JsonSchemaValue:
        """Return a schema with the type that its instances must be of, where JSON says too little of it."""
        kind = kind_kept(instance_of(schema))
        return {**json_schema, PYTHON_TYPE: kind} if kind and PYTHON_TYPE not in json_schema else json_schema

    def set_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().set_schema(schema), PYTHON_TYPE: "set"}

    def frozenset_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().frozenset_schema(schema), PYTHON_TYPE: "frozenset"}

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        del error_info
        class_ = schema.get("cls")
        if class_ is not None:
            self._note(class_, "other")
            return {PYTHON_TYPE: f"{class_.__module__}.{class_.__qualname__}"}
        return {}


def _one_library(schema: JsonSchemaValue, definitions: Mapping[Any, Any]) -> JsonSchemaValue:
    """Return a union of one library's types as that library's."""
    branches = schema.get("oneOf", [])
    resolved = [definitions.get(str(branch.get("$ref", "")).rpartition("/")[2], branch) for branch in branches]
    libraries = {str(branch.get(PYTHON_TYPE, "")).rpartition(".")[0] for branch in resolved}
    return {PYTHON_TYPE: libraries.pop()} if len(libraries) == 1 and "" not in libraries else schema


def schema_of(type_: Any, mode: Mode, *, for_store: bool = False) -> tuple[dict[str, Any], dict[str, tuple[str, Any]]]:
    """Return the JSON Schema of a type, and the classes in it with their kinds, by path.

    Args:
        for_store: as stores keep it that keep Python's objects: by the names of fields, all of them there, nothing
            computed; otherwise as JSON.
    """
    named = named_tuples(type_)
    type_ = modern(type_)
    generators: list[Generator] = []

    class Noting(Generator):
        is_writer = for_store and mode == "serialization"
        keeps_objects = for_store

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            generators.append(self)

    options: dict[str, Any] = {"mode": "validation", "by_alias": False} if for_store else {"mode": mode}
    options["schema_generator"] = Noting
    try:
        schema = TypeAdapter(type_).json_schema(**options)
    except Exception:  # noqa: BLE001  whatever a type of the agent's does when it is looked at
        schema = _loosely(type_, options)
    classes = {path: kind for generator in generators for path, kind in generator.classes.items()}
    classes |= {f"{class_.__module__}.{class_.__name__}": ("namedtuple", class_) for class_ in named}
    schema = told_defaults(_without_strays(schema))
    return (schema if for_store else without_python_types(schema)), classes


def without_python_types(value: Any) -> Any:
    """Return a schema as plain JSON Schema: what is kept as JSON has no types of Python's."""
    if isinstance(value, dict):
        return {key: without_python_types(part) for key, part in value.items() if key != PYTHON_TYPE}
    return [without_python_types(part) for part in value] if isinstance(value, list) else value


def _loosely(type_: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type in which some fields cannot be told: each by itself, and those may be anything."""
    fields = hints_of(type_)
    if not fields:
        return {PYTHON_TYPE: f"{type_.__module__}.{type_.__qualname__}"} if inspect.isclass(type_) else {}
    properties, definitions = {}, dict[str, Any]()
    for name, hint in fields.items():
        try:
            adapter: Any = TypeAdapter(modern(bare(hint)), config=ConfigDict(arbitrary_types_allowed=True))
            own = adapter.json_schema(**options)
        except Exception:  # noqa: BLE001  likewise
            try:
                own = TypeAdapter(modern(bare(hint))).json_schema(**options)
            except Exception:  # noqa: BLE001  likewise
                own = {}
        definitions |= own.pop("$defs", {})
        properties[name] = own
    required = sorted(required_of(type_) & properties.keys())
    return {"type": "object", "properties": properties, "required": required, "$defs": definitions}


def _without_strays(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without definitions that nothing names, and with each library's types told once."""
    used, pending = set[str](), [{key: value for key, value in schema.items() if key != "$defs"}]
    definitions = schema.get("$defs", {})
    while pending:
        for name in _references(pending.pop()):
            if name not in used and name in definitions:
                used.add(name)
                pending.append(definitions[name])
    kept = {name: definitions[name] for name in sorted(used)}
    rest = {key: value for key, value in schema.items() if key != "$defs"}
    return {**rest, "$defs": kept} if kept else rest


def told_defaults(value: Any, *, names: bool = False) -> Any:
    """Return a schema in which defaults that may be secrets, or of one machine, are digests; equal ones stay equal.

    Args:
        names: whether the keys of this part are names, as under `properties`.
    """
    if isinstance(value, list):
        return [told_defaults(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _digest(part)
        if key == "default" and not names
        else told_defaults(part, names=not names and key in ("properties", "$defs", "patternProperties"))
        for key, part in value.items()
    }


def _digest(default: Any) -> Any:
    if default is None or isinstance(default, bool) or default in ("", [], {}):
        return default
    telling = ValueText(is_written)
    text = telling.of(default)
    if not telling.is_whole:  # it may be of this process alone
        return f"of {text}"
    if isinstance(default, int | float):
        return default
    text = json.dumps(default, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:12]}"


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for part in value for name in _references(part)]
    if not isinstance(value, dict):
        return []
    names = [name for part in value.values() for name in _references(part)]
    reference = value.get("$ref")
    return [*names, reference.removeprefix("#/$defs/")] if isinstance(reference, str) else names
