"""From pydantic's JSON schema to a structural one, as Kubernetes wants it.

A structural schema has one type a field, no references, no unions and no nulls; what pydantic says otherwise is either
said in Kubernetes' own words or refused here, loudly. What was seen to be dropped in silence by a real API server
(`const`, `discriminator`, `examples`, `default: null`) is never written. There are no defaults: the model fills them
in, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

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

    def convert(self, found: Schema, where: str, kind: str = "") -> Schema:
        if "$ref" in found:
            kind = found["$ref"].rpartition("/")[2]
            target = self._definitions[kind]
            return self.convert(
                {**target, **{key: found[key] for key in ("description",) if key in found}}, where, kind
            )
        if found.get(UNTYPED):
            return _described({UNTYPED: True, **({"type": "object"} if found.get("type") == "object" else {})}, found)
        if found.get(INT_OR_STRING):
            return _described({INT_OR_STRING: True}, found)
        if "anyOf" in found:
            return self._optional(found, where)
        made = {key: found[key] for key in _KEPT if key in found}
        if "const" in found:
            made["enum"] = [found["const"]]
        if "exclusiveMinimum" in found:
            made |= {"minimum": found["exclusiveMinimum"], "exclusiveMinimum": True}
        match found.get("type"):
            case "object" if "properties" in found:
                made |= self._object(found, where, kind)
            case "object":
                made |= self._mapping(found, where)
            case "array":
                made |= self._array(found, where)
            case "string" if "enum" not in made and "format" not in made:
                made["maxLength"] = _bound(made.get("maxLength"), self._bounds.text, where)
            case None:
                raise ValueError(f"{where}: has no type, so Kubernetes would refuse it")
        return _described(made, found)

    def _optional(self, found: Schema, where: str) -> Schema:
        """A member that may be absent. Any other union has no place here."""
        present = [each for each in found["anyOf"] if each.get("type") != "null"]
        if len(present) != 1:
            raise ValueError(f"{where}: is a union, which no structural schema can say")
        return self.convert({**present[0], **_own(found)}, where)

    def _object(self, found: Schema, where: str, kind: str) -> Schema:
        properties = {
            name: self._field(name, each, f"{where}.{name}")
            for name, each in found["properties"].items()
            if not each.get("local")
        }
        made: Schema = {"properties": properties}
        if required := [name for name in found.get("required", ()) if name in properties]:
            made["required"] = required
        if rules := rules_of(kind, properties.keys()):
            made["x-kubernetes-validations"] = rules
        return made

    def _field(self, name: str, found: Schema, where: str) -> Schema:
        made = self.convert(found, where)
        if made.get("type") == "array" and (rules := rules_of_list(name)):
            made["x-kubernetes-validations"] = rules
        return made

    def _mapping(self, found: Schema, where: str) -> Schema:
        inner = found.get("additionalProperties")
        if not isinstance(inner, dict):
            raise ValueError(f"{where}: is a mapping of anything, which cannot be bounded")  # noqa: TRY004
        most = _bound(found.get("maxProperties"), self._bounds.members, where)
        return {"additionalProperties": self.convert(inner, f"{where}{{}}"), "maxProperties": most}

    def _array(self, found: Schema, where: str) -> Schema:
        if "prefixItems" in found:
            raise ValueError(f"{where}: is a list of different things, which no structural schema can say")
        made: Schema = {"items": self.convert(found["items"], f"{where}[]")}
        return made | {"maxItems": _bound(found.get("maxItems"), self._bounds.items, where)}


def _own(found: Schema) -> Schema:
    """Return what a field says itself, before what it refers to does."""
    return {"description": found["description"]} if "description" in found else {}


def _bound(given: int | None, usual: int | None, where: str) -> int:
    bound = given if given is not None else usual
    if bound is None:
        raise ValueError(f"{where}: has no upper bound; rules over it would cost too much for the API server")
    return bound


def _described(made: Schema, found: Schema) -> Schema:
    text = found.get("description", "").partition("\n\n")[0].replace("\n", " ")
    return {"description": text, **made} if text else made
