"""Tools: a call that waits was made by a tool's name, in the form of its arguments."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from rollout.contracts.export.code.reading import SourceReading
from rollout.contracts.export.unseen import unseen_of

_WORDS = frozenset({"title", "description", "examples", "default"})
"""What is said of an argument tells the model what to write, and refuses nothing. A default may be a secret."""


def tool_contract(tool: Any, reading: SourceReading) -> dict[str, Any]:
    """Return what a tool takes, and whom it asks."""
    core = getattr(getattr(tool, "args_schema", None), "__pydantic_core_schema__", None)
    return {
        "arguments": arguments_of(tool),
        "defaults": defaults_of(tool),
        "unseen": unseen_of(core) if isinstance(core, dict) else {},
        "interruptCalls": reading.calls if reading.is_whole or reading.calls else None,
        "mayAsk": reading.may_ask,
        "digest": reading.digest,
        "returnDirect": bool(getattr(tool, "return_direct", False)),
    }


def arguments_of(tool: Any) -> Any:
    """Return the JSON Schema of what a model writes to call a tool; True where that cannot be told."""
    try:
        schema = tool.tool_call_schema
        return _without_words(schema if isinstance(schema, dict) else schema.model_json_schema())
    except Exception:  # noqa: BLE001  a tool of the agent's may fail in any way
        return True


def defaults_of(tool: Any) -> dict[str, str]:
    """Return the arguments that a call may leave out, each with a digest of what it means then.

    A waiting call means what the default was. A default that is made anew at each call has none.
    """
    try:
        schema = tool.tool_call_schema
        properties = (schema if isinstance(schema, dict) else schema.model_json_schema()).get("properties", {})
        return {name: _digest(part["default"]) for name, part in sorted(properties.items()) if "default" in part}
    except Exception:  # noqa: BLE001  a tool of the agent's may fail in any way
        return {}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]


def _without_words(schema: Any, names: bool = False) -> Any:
    """Return a schema without words; under `properties` and `$defs` they are names."""
    if isinstance(schema, list):
        return [_without_words(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_words(part, not names and key in ("properties", "$defs", "definitions"))
        for key, part in schema.items()
        if names or key not in _WORDS
    }
