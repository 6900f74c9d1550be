"""The JSON Schema of what `-o json` prints: one document, told by its `kind`. Fields are added, none is taken away."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rollout.model.agent_state import CompatibilityVerdict
from rollout.model.api.rollout import API_VERSION, Metadata, RolloutSpec
from rollout.model.crd.editor import DIALECT
from rollout.model.crd.structural import Schema
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.release import Release
from rollout.model.status.status import Status

_MODELS: tuple[type[BaseModel], ...] = (
    RolloutSpec, Metadata, Status, Release, Decision, FinishedRelease, CommandOutcome, CompatibilityVerdict,
)  # fmt: skip
_TEXT: Schema = {"type": "string"}
_FAULT: Schema = {
    "type": "object",
    "required": ["path", "message", "remedy"],
    "properties": {
        "path": {**_TEXT, "description": "Where it is: a file with its line, a field, or an option."},
        "message": {**_TEXT, "description": "What is wrong."},
        "remedy": {**_TEXT, "description": "What to do about it."},
        "value": {"description": "What was given."},
    },
}
_EXIT_CODE: Schema = {"type": "integer", "description": "The exit code of the command."}
_ANY_OBJECT: Schema = {"type": "object"}


def output_schema() -> Schema:
    """Return the schema of one document that a command prints."""
    _, made_of = models_json_schema([(model, "validation") for model in _MODELS], by_alias=True)
    defs: dict[str, Any] = _printed(dict(made_of["$defs"]))
    defs["Status"] = _flat_status(defs.pop("Status"), defs["Release"])
    documents = _documents()
    return {
        "$schema": DIALECT,
        "title": f"What `-o json` prints, {API_VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{name}Document"} for name in documents],
        "$defs": {**defs, "Fault": _FAULT, **{f"{name}Document": schema for name, schema in documents.items()}},
    }


def _documents() -> dict[str, Schema]:
    """Return the documents by their kinds."""
    rollout = {
        "metadata": _ref("Metadata"),
        "spec": _ref("RolloutSpec"),
        "status": _ref("Status"),
        "exitCode": _EXIT_CODE,
        "sentence": {**_TEXT, "description": "How it ended, for people: of `start`, `wait` and `demo`."},
        "problem": {**_TEXT, "description": "Why it cannot be carried out as it is declared."},
    }
    release = {
        "allOf": [_ref("FinishedRelease")],
        "required": ["number"],
        "properties": {"number": {"type": "integer", "description": "Which release of its rollout, from 1 on."}},
    }
    components = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
    compared = {"differs": {"type": "boolean"}, "components": {"type": "object", "additionalProperties": components}}
    return {
        "Rollout": _document("Rollout", rollout, required=("metadata", "spec", "status")),
        "RolloutList": _list("RolloutList", _ref("RolloutDocument")),
        "ReleaseList": _list("ReleaseList", release),
        "DecisionList": _list("DecisionList", _ref("Decision")),
        "CommandOutcome": {**_document("CommandOutcome", {}, required=()), "allOf": [_ref("CommandOutcome")]},
        "VersionDiff": _document("VersionDiff", compared, required=("differs", "components")),
        "StateVerdict": {**_document("StateVerdict", {}, required=()), "allOf": [_ref("CompatibilityVerdict")]},
        "LintResult": _document(
            "LintResult", {"faults": {"type": "array", "items": _ref("Fault")}}, required=("faults",)
        ),
        "Error": _document(
            "Error",
            {
                "exitCode": _EXIT_CODE,
                "message": {**_TEXT, "description": "What happened, what it means, what to do."},
                "faults": {"type": "array", "items": _ref("Fault"), "description": "Of invalid input: every fault."},
            },
            required=("exitCode", "message"),
        ),
        "List": {  # of definitions, as `kubectl` prints lists
            "type": "object",
            "required": ["apiVersion", "kind", "items"],
            "properties": {
                "apiVersion": {"const": "v1"},
                "kind": {"const": "List"},
                "items": {"type": "array", "items": _ANY_OBJECT},
            },
        },
    }


def _document(kind: str, properties: Schema, required: tuple[str, ...]) -> Schema:
    return {
        "type": "object",
        "required": ["apiVersion", "kind", *required],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind}, **properties},
    }


def _list(kind: str, items: Schema) -> Schema:
    return _document(kind, {"items": {"type": "array", "items": items}}, required=("items",))


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _printed(schema: Any) -> Any:
    """Return a schema of what people write as one of what is printed: lists that are not given are printed empty."""
    if isinstance(schema, list):
        return [_printed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _printed(part) for key, part in schema.items() if not (key == "minItems" and isinstance(part, int))}


def _flat_status(status: Schema, release: Schema) -> Schema:
    """Return the schema of a status as it is written: the fields of the release stand beside its own."""
    own = {name: field for name, field in status["properties"].items() if name != "release"}
    return {**status, "properties": {**own, **release["properties"]}}
