"""Types as agents annotate them: their fields, which kind of state they are, and marks where JSON says too little."""

from __future__ import annotations

import collections
import dataclasses
import inspect
from pathlib import PurePath
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaValue
from typing_extensions import NoExtraItems, ReadOnly, TypedDict, is_typeddict

from rollout.contracts.schema.scalars import PYTHON_TYPE

_KEPT = (PurePath, collections.deque, collections.Counter, collections.defaultdict, collections.OrderedDict)


@dataclasses.dataclass(frozen=True)
class Kept:
    """Marks a type of which JSON says too little: how it is kept, and, of a NamedTuple, its fields."""

    name: str
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> JsonSchemaValue:
        """Return the schema that pydantic makes, with what it is; a NamedTuple is kept by its fields."""
        if self.fields:
            properties = dict.fromkeys(self.fields, True)
            schema = {
                "type": "object",
                "properties": properties,
                "required": sorted(set(properties) - set(self.optional)),
            }
            return {**schema, PYTHON_TYPE: "namedtuple"}
        resolved: JsonSchemaValue = handler.resolve_ref_schema(handler(core))
        return {**resolved, PYTHON_TYPE: self.name}


def is_named_tuple(type_: Any) -> bool:
    return inspect.isclass(type_) and issubclass(type_, tuple) and hasattr(type_, "_fields")


def _kept(type_: Any) -> Any:
    """Return a type with a mark where JSON says too little of it."""
    plain = get_origin(type_) or type_
    if is_named_tuple(plain):
        return Annotated[type_, Kept("namedtuple", tuple(plain._fields), tuple(plain._field_defaults))]
    kind = kind_kept(plain)
    return Annotated[type_, Kept(kind)] if kind else type_


def kind_kept(type_: Any) -> str:
    kinds = [kind for kind in _KEPT if inspect.isclass(type_) and issubclass(type_, kind)]
    return kinds[0].__name__ if kinds else ""


def instance_of(schema: Any, depth: int = 5) -> Any:
    """Return the class that a core schema asks its values to be of."""
    if not isinstance(schema, dict) or depth == 0:
        return None
    if schema.get("type") == "is-instance":
        return schema.get("cls")
    inner = [schema.get(key) for key in ("strict_schema", "python_schema", "schema", "lax_schema")]
    inner += list(schema.get("steps") or ())
    return next(
        (instance for inner_type in inner if (instance := instance_of(inner_type, depth - 1)) is not None), None
    )


def named_tuples(type_: Any) -> list[Any]:
    return (
        [type_]
        if is_named_tuple(type_)
        else [inner for argument in get_args(type_) for inner in named_tuples(argument)]
    )


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
        others = getattr(type_, "__extra_items__", NoExtraItems)
        options: dict[str, Any] = {} if others is NoExtraItems or type_.__closed__ else {"extra_items": modern(others)}
        again = make(type_.__name__, fields, **({"closed": True} if getattr(type_, "__closed__", None) else options))
        if hasattr(type_, "__pydantic_config__"):
            again.__pydantic_config__ = type_.__pydantic_config__
        return again
    origin, arguments = get_origin(type_), get_args(type_)
    if not arguments or origin is Literal:
        return _kept(type_)
    if origin is Annotated:
        return Annotated[(modern(arguments[0], inside), *type_.__metadata__)]
    changed = tuple(modern(argument, inside) for argument in arguments)
    if all(one is two for one, two in zip(changed, arguments, strict=True)):
        return _kept(type_)
    return Union[changed] if origin in (Union, UnionType) else _kept(origin[changed])  # noqa: UP007  made of a tuple


def bare(hint: Any) -> Any:
    """Return a field's type without the words that only a TypedDict knows."""
    while get_origin(hint) in (Required, NotRequired, ReadOnly):
        hint = get_args(hint)[0]
    if get_origin(hint) is Annotated and get_origin(get_args(hint)[0]) in (Required, NotRequired, ReadOnly):
        return Annotated[(bare(get_args(hint)[0]), *hint.__metadata__)]
    return hint


def hints_of(type_: Any) -> dict[str, Any]:
    """Return the fields of a TypedDict, dataclass or model with their types, reducers and the like included."""
    try:
        return get_type_hints(type_, include_extras=True)
    except (TypeError, NameError):
        return dict(getattr(type_, "__annotations__", {}))


def classes_within(hint: Any) -> list[type]:
    """Return the classes that a type is made of."""
    if inspect.isclass(hint) and not get_args(hint):
        return [hint]
    return [class_ for argument in get_args(hint) for class_ in classes_within(argument)]


def required_of(type_: Any) -> set[str]:
    """Return the fields that must be there."""
    if inspect.isclass(type_) and issubclass(type_, BaseModel):
        return {name for name, field in type_.model_fields.items() if field.is_required()}
    if dataclasses.is_dataclass(type_):
        missing = dataclasses.MISSING
        fields = dataclasses.fields(type_)
        return {
            declared.name for declared in fields if declared.default is missing and declared.default_factory is missing
        }
    return set(getattr(type_, "__required_keys__", ()))


def factories_of(type_: Any) -> dict[str, Any]:
    """Return the functions that make the defaults of a state's fields, by field."""
    declared = {**getattr(type_, "__dataclass_fields__", {}), **getattr(type_, "__pydantic_fields__", {})}
    factories = {name: getattr(field, "default_factory", None) for name, field in declared.items()}
    return {name: make for name, make in factories.items() if inspect.isroutine(make) or inspect.isclass(make)}


def kind_of(type_: Any) -> str:
    """Return which kind of state a type is."""
    if inspect.isclass(type_) and issubclass(type_, BaseModel):
        return "pydantic"
    if dataclasses.is_dataclass(type_):
        return "dataclass"
    return "typeddict" if hasattr(type_, "__required_keys__") else "other"
