"""Types as JSON Schemas, by pydantic, with what JSON cannot say: which classes, which of Python's containers."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from typing_extensions import ReadOnly, TypedDict, is_typeddict

from rollout.contracts.schema.scalars import PYTHON_TYPE

Mode = Literal["validation", "serialization"]

LIBRARIES = ("langchain_core.", "langchain.", "langgraph.")
"""Types of these packages are compared by name: their shape changes with every release, and they read it themselves."""


class Generator(GenerateJsonSchema):
    """Pydantic's generator, which also notes the classes it meets. What has no schema may be anything."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  pydantic's

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.classes: dict[str, str] = {}

    def _library(self, found: Any) -> JsonSchemaValue | None:
        module = getattr(found, "__module__", "")
        if not module.startswith(LIBRARIES):
            return None
        return {PYTHON_TYPE: ".".join(module.split(".")[:2])}

    def _note(self, found: Any, kind: str) -> None:
        self.classes[f"{found.__module__}.{found.__name__}"] = kind  # as stores write it

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        if (opaque := self._library(schema["cls"])) is not None:
            return opaque
        self._note(schema["cls"], "pydantic")
        return super().model_schema(schema)

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        if (opaque := self._library(schema["cls"])) is not None:
            return opaque
        self._note(schema["cls"], "dataclass")
        found = super().dataclass_schema(schema)
        if self.mode == "validation":
            found["additionalProperties"] = False  # rebuilt by its constructor, which takes no others
        return found

    def enum_schema(self, schema: Any) -> JsonSchemaValue:
        self._note(schema["cls"], "enum")
        return super().enum_schema(schema)

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        return _one_library(super().tagged_union_schema(schema), self.definitions)

    def set_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().set_schema(schema), PYTHON_TYPE: "set"}

    def frozenset_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().frozenset_schema(schema), PYTHON_TYPE: "frozenset"}

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        del error_info
        found = schema.get("cls")
        if found is not None:
            self._note(found, "other")
            return {PYTHON_TYPE: f"{found.__module__}.{found.__qualname__}"}
        return {}


def _one_library(schema: JsonSchemaValue, definitions: Mapping[Any, Any]) -> JsonSchemaValue:
    """Return a union of one library's types as that library's."""
    branches = schema.get("oneOf", [])
    known = [definitions.get(str(each.get("$ref", "")).rpartition("/")[2], each) for each in branches]
    names = {each.get(PYTHON_TYPE) for each in known}
    return {PYTHON_TYPE: names.pop()} if len(names) == 1 and None not in names else schema


def schema_of(type_: Any, mode: Mode) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the JSON Schema of a type, and the kinds of the classes in it, by path."""
    type_ = modern(type_)
    made: list[Generator] = []

    class Noting(Generator):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    try:
        schema = TypeAdapter(type_).json_schema(mode=mode, schema_generator=Noting)
    except (PydanticSchemaGenerationError, PydanticUserError):
        schema = _loosely(type_, mode, Noting)
    return _without_strays(schema), {path: kind for each in made for path, kind in each.classes.items()}


def _loosely(type_: Any, mode: Mode, generator: type[Generator]) -> dict[str, Any]:
    """Return the schema of a type in which some fields cannot be told: those may be anything."""
    fields = hints_of(type_)
    if not fields:
        return {PYTHON_TYPE: f"{type_.__module__}.{type_.__qualname__}"} if inspect.isclass(type_) else {}
    required = required_of(type_)
    arbitrary = ConfigDict(arbitrary_types_allowed=True)
    told: dict[str, Any] = {
        name: (modern(bare(each)), ... if name in required else None) for name, each in fields.items()
    }
    model = create_model("State", __config__=arbitrary, **told)
    return model.model_json_schema(mode=mode, schema_generator=generator)


def modern(type_: Any, inside: tuple[Any, ...] = ()) -> Any:
    """Return a type with its TypedDicts as pydantic takes them: before Python 3.12 only those of typing_extensions."""
    if is_typeddict(type_):
        if type_ in inside:
            return Any  # what holds itself may be anything in there
        required: frozenset[str] = getattr(type_, "__required_keys__", frozenset())
        fields = {
            name: (Required if name in required else NotRequired)[modern(bare(hint), (*inside, type_))]
            for name, hint in hints_of(type_).items()
        }
        make: Any = TypedDict
        return make(type_.__name__, fields)
    origin, arguments = get_origin(type_), get_args(type_)
    if not arguments or origin is Literal:
        return type_
    if origin is Annotated:
        return Annotated[(modern(arguments[0], inside), *type_.__metadata__)]
    changed = tuple(modern(each, inside) for each in arguments)
    if all(one is two for one, two in zip(changed, arguments, strict=True)):
        return type_
    return Union[changed] if origin in (Union, UnionType) else origin[changed]  # noqa: UP007  made of a tuple


def bare(hint: Any) -> Any:
    """Return a field's type without the words that only a TypedDict knows."""
    while get_origin(hint) in (Required, NotRequired, ReadOnly):
        hint = get_args(hint)[0]
    return hint


def hints_of(type_: Any) -> dict[str, Any]:
    """Return the fields of a TypedDict, dataclass or model with their types, reducers and the like included."""
    try:
        return get_type_hints(type_, include_extras=True)
    except (TypeError, NameError):
        return dict(getattr(type_, "__annotations__", {}))


def required_of(type_: Any) -> set[str]:
    """Return the fields that must be there."""
    if inspect.isclass(type_) and issubclass(type_, BaseModel):
        return {name for name, field in type_.model_fields.items() if field.is_required()}
    if dataclasses.is_dataclass(type_):
        missing = dataclasses.MISSING
        fields = dataclasses.fields(type_)
        return {each.name for each in fields if each.default is missing and each.default_factory is missing}
    return set(getattr(type_, "__required_keys__", ()))


def kind_of(type_: Any) -> str:
    """Return which kind of state a type is."""
    if inspect.isclass(type_) and issubclass(type_, BaseModel):
        return "pydantic"
    if dataclasses.is_dataclass(type_):
        return "dataclass"
    return "typeddict" if hasattr(type_, "__required_keys__") else "other"


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


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for each in value for name in _references(each)]
    if not isinstance(value, dict):
        return []
    found = [name for each in value.values() for name in _references(each)]
    reference = value.get("$ref")
    return [*found, reference.removeprefix("#/$defs/")] if isinstance(reference, str) else found
