"""From pydantic's JSON schema to a structural one, as Kubernetes wants it.

A structural schema has one type a field, no references, no unions and no nulls; what pydantic says otherwise is either
said in Kubernetes' own words or refused here, loudly. What was seen to be dropped in silence by a real API server
(`const`, `discriminator`, `examples`, `default: null`) is never written. There are no defaults: the model fills them
in, so that they cannot differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rollout.model.base import FORMER_NAMES
from rollout.model.crd.rules import rules_of, rules_of_list

Schema = dict[str, Any]

_KEPT = ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "format")
UNTYPED = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds where the model names no bound of its own; None refuses such a field."""

    text: int | None = None
    items: int | None = None
    members: int | None = None


def structural(model: type[BaseModel], bounds: Bounds) -> Schema:
    """Return a model's structural schema. Raises ValueError for what cannot be said in one, with the place."""
    whole = model.model_json_schema(by_alias=True)
    return _Converter(whole.get("$defs", {}), bounds).convert(whole, model.__name__, model.__name__)


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema], bounds: Bounds) -> None:
        self._definitions = definitions
        self._bounds = bounds

    def convert(self, schema: Schema, where: str, kind: str = "") -> Schema:
        if "$ref" in schema:
            kind = schema["$ref"].rpartition("/")[2]
            target = self._definitions[kind]
            return self.convert(
                {**target, **{key: schema[key] for key in ("description",) if key in schema}}, where, kind
            )
        if schema.get(UNTYPED):
            return _described({UNTYPED: True, **({"type": "object"} if schema.get("type") == "object" else {})}, schema)
        if schema.get(INT_OR_STRING):
            return _described({INT_OR_STRING: True}, schema)
        if "anyOf" in schema:
            return self._optional(schema, where)
        converted = {key: schema[key] for key in _KEPT if key in schema}
        if "const" in schema:
            converted["enum"] = [schema["const"]]
        if "exclusiveMinimum" in schema:
            converted |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
        match schema.get("type"):
            case "object" if "properties" in schema:
                converted |= self._object(schema, where, kind)
            case "object":
                converted |= self._mapping(schema, where)
            case "array":
                converted |= self._array(schema, where)
            case "string" if "enum" not in converted and "format" not in converted:
                converted["maxLength"] = _bound(converted.get("maxLength"), self._bounds.text, where)
            case None:
                raise ValueError(f"{where}: has no type, so Kubernetes would refuse it")
        return _described(converted, schema)

    def _optional(self, schema: Schema, where: str) -> Schema:
        """A member that may be absent. Any other union has no place here."""
        present = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
        if len(present) != 1:
            raise ValueError(f"{where}: is a union, which no structural schema can say")
        return self.convert({**present[0], **_own(schema)}, where)

    def _object(self, schema: Schema, where: str, kind: str) -> Schema:
        properties = {
            name: self._field(name, field, f"{where}.{name}")
            for name, field in schema["properties"].items()
            if not field.get("local")
        }
        for name, former in FORMER_NAMES.items() if kind == "Evidence" else ():
            properties[former] = {**properties[name], "description": f"The former name of {name}."}
        converted: Schema = {"properties": properties}
        if required := [name for name in schema.get("required", ()) if name in properties]:
            converted["required"] = required
        if rules := rules_of(kind, properties.keys()):
            converted["x-kubernetes-validations"] = rules
        return converted

    def _field(self, name: str, schema: Schema, where: str) -> Schema:
        converted = self.convert(schema, where)
        if converted.get("type") == "array" and (rules := rules_of_list(name)):
            converted["x-kubernetes-validations"] = rules
        return converted

    def _mapping(self, schema: Schema, where: str) -> Schema:
        inner = schema.get("additionalProperties")
        by_pattern = schema.get("patternProperties") or {}
        if len(by_pattern) == 1:  # the names that keys may have are held where the document is read
            (inner,) = by_pattern.values()
        if not isinstance(inner, dict):
            raise ValueError(f"{where}: is a mapping of anything, which cannot be bounded")  # noqa: TRY004
        most = _bound(schema.get("maxProperties"), self._bounds.members, where)
        return {"additionalProperties": self.convert(inner, f"{where}{{}}"), "maxProperties": most}

    def _array(self, schema: Schema, where: str) -> Schema:
        if "prefixItems" in schema:
            raise ValueError(f"{where}: is a list of different things, which no structural schema can say")
        converted: Schema = {"items": self.convert(schema["items"], f"{where}[]")}
        return converted | {"maxItems": _bound(schema.get("maxItems"), self._bounds.items, where)}


def _own(schema: Schema) -> Schema:
    """Return what a field says itself, before what it refers to does."""
    return {"description": schema["description"]} if "description" in schema else {}


def _bound(given: int | None, usual: int | None, where: str) -> int:
    bound = given if given is not None else usual
    if bound is None:
        raise ValueError(f"{where}: has no upper bound; rules over it would cost too much for the API server")
    return bound


def _described(converted: Schema, source: Schema) -> Schema:
    text = source.get("description", "").partition("\n\n")[0].replace("\n", " ")
    return {"description": text, **converted} if text else converted
