"""A JSON Schema of what people write, for editors: completion, descriptions and faults while typing."""

from typing import Any

from pydantic.json_schema import models_json_schema

from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import API_VERSION, Metadata, RolloutSpec
from rollout.model.crd.structural import INT_OR_STRING, Schema
from rollout.model.units import format_duration, format_percent

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DURATION, _PERCENT = "(h|m|s|ms)", "%$"
"""By these ends of their patterns, durations and percentages are told from other texts."""


def editor_schema() -> Schema:
    """Return the schema of one document: a Rollout or a RolloutPolicy."""
    _, made_of = models_json_schema(
        [(RolloutSpec, "validation"), (PolicySpec, "validation"), (Metadata, "validation")], by_alias=True
    )
    definitions = {name: _cleaned(schema) for name, schema in made_of["$defs"].items()}
    return {
        "$schema": DIALECT,
        "title": f"Rollout and RolloutPolicy, {API_VERSION}",
        "oneOf": [_document("Rollout", "RolloutSpec"), _document("RolloutPolicy", "PolicySpec")],
        "$defs": definitions,
    }


def _document(kind: str, spec: str) -> Schema:
    return {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind},
            "metadata": {"$ref": "#/$defs/Metadata"},
            "spec": {"$ref": f"#/$defs/{spec}"},
            "status": {"type": "object", "description": "Written by the controller."},
        },
    }


def _cleaned(schema: Any) -> Any:
    """Return a schema as people write it: defaults as texts, no titles that repeat names, no nulls."""
    if isinstance(schema, list):
        return [_cleaned(part) for part in schema if part != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    cleaned: dict[str, Any] = {
        key: {name: _cleaned(field) for name, field in value.items()} if key == "properties" else _cleaned(value)
        for key, value in schema.items()
        if key not in ("title", INT_OR_STRING, "local") and not (key == "default" and value is None)
    }
    if isinstance(cleaned.get("description"), str):  # the paragraphs below the first are for readers of the code
        cleaned["description"] = cleaned["description"].partition("\n\n")[0].replace("\n", " ")
    if "default" in cleaned:
        cleaned["default"] = as_written(cleaned["default"], cleaned)
    if len(cleaned.get("anyOf", ())) == 1:
        cleaned |= cleaned.pop("anyOf")[0] | {key: cleaned[key] for key in ("description",) if key in cleaned}
    return cleaned


def as_written(default: Any, schema: Schema) -> Any:
    """Return a default as people write it: ``30s`` for 30.0 seconds, ``5%`` for 500 basis points."""
    pattern = str(schema.get("pattern", ""))
    if isinstance(default, int | float) and not isinstance(default, bool):
        if pattern.endswith(_PERCENT):
            return format_percent(int(default))
        if _DURATION in pattern:
            return format_duration(float(default))
    return default
