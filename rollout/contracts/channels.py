"""Rules for how state is kept: reducers, kinds of channels, classes whose paths are written into checkpoints."""

from __future__ import annotations

from typing import Any

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Channel
from rollout.contracts.schema.scalars import PYTHON_TYPE
from rollout.model.agent_state import Severity

DELTA = "DeltaChannel"


def keeping(side: Side) -> None:
    """Note what a reader makes of channels and classes that it keeps in another way."""
    for name in sorted(side.writer.channels.keys() & side.reader.channels.keys()):
        one, two = side.writer.channels[name], side.reader.channels[name]
        _kinds(side, name, one, two)
        _reducers(side, name, one, two)
        _classes(side, name, one, two)
    if not side.at:
        _elsewhere(side)
    for path in sorted(side.writes.classes.keys() & side.reads.classes.keys()):
        checks = (side.writes.classes[path].checks, side.reads.classes[path].checks)
        if checks[0] != checks[1] and not side.at:
            side.find(
                "CHECKS_CHANGED", Severity.UNKNOWN, f"/classes/{path}/checks", *(check or "none" for check in checks)
            )


def _elsewhere(side: Side) -> None:
    """Note classes that went and that are annotated nowhere: what is open, or holds a base of theirs, may hold them."""
    known = {path for channel in side.writer.channels.values() for path in channel.classes}
    is_open = any(_is_open(schema) for schema in _schemas(side.writer.state.writer))
    for path in sorted(side.writes.classes.keys() - side.reads.classes.keys() - known):
        if is_open or known & set(side.writes.classes[path].bases) or side.writer.functional is not None:
            side.find("CLASS_PATH", Severity.RISK, f"/classes/{path}", path, "is not there")


def _schemas(state: Any) -> list[Any]:
    return list(state.get("properties", {}).values()) if isinstance(state, dict) else [state]


def _is_open(schema: Any) -> bool:
    """Whether a key of the state may hold anything."""
    if not isinstance(schema, dict):
        return schema is True
    inner = schema.get("items", {}) if schema.get("type") == "array" else schema.get("additionalProperties", {})
    if schema.get("type") == "array" or (schema.get("type") == "object" and "properties" not in schema):
        return _is_open(inner)
    return not {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", PYTHON_TYPE} & schema.keys()


def _kinds(side: Side, name: str, one: Channel, two: Channel) -> None:
    if one.kind == two.kind or {one.kind, two.kind} == {"LastValue", "BinaryOperatorAggregate"}:
        return  # the latter two keep the same; the reducer says the rest
    where = f"/channels/{name}/kind"
    if two.kind == DELTA:
        return  # it takes over what is there
    if one.kind == DELTA:
        severity = Severity.OK if two.kind == "BinaryOperatorAggregate" else Severity.BREAK
    else:
        severity = Severity.UNKNOWN
    side.find("CHANNEL_KIND", severity, where, one.kind, two.kind)


def _reducers(side: Side, name: str, one: Channel, two: Channel) -> None:
    where = f"/channels/{name}/reducer"
    known = one.reducer_digest is not None and two.reducer_digest is not None
    change = (one.reducer or "none", two.reducer or "none")
    if one.reducer != two.reducer:
        side.find("REDUCER_CHANGED", Severity.RISK, where, *change)
    elif known and one.reducer_digest != two.reducer_digest:
        side.find("REDUCER_CHANGED", Severity.RISK, where, f"{change[0]}, one source", "another")
    elif not known and any(reducer is not None and _is_unnamed(reducer) for reducer in (one.reducer, two.reducer)):
        side.find("REDUCER_UNKNOWN", Severity.UNKNOWN, where, *change)


def _is_unnamed(reducer: str) -> bool:
    """Whether a name says too little: that of a lambda, or of a function made inside another, but for LangGraph's."""
    return "<lambda>" in reducer or ("<locals>" in reducer and not reducer.startswith("langgraph."))


def _classes(side: Side, name: str, one: Channel, two: Channel) -> None:
    for path in sorted(set(one.classes) - set(two.classes)):
        if path not in side.reads.classes:
            side.find("CLASS_PATH", Severity.BREAK, f"/channels/{name}/classes", path, "is not there")
        else:
            side.find("SERDE_ALLOWLIST", _strict(side), f"/channels/{name}/classes", path, "is not declared here")
    for path in sorted(set(one.classes) & set(two.classes)):
        kinds = [form.classes[path].kind for form in (side.writes, side.reads) if path in form.classes]
        if len(set(kinds)) > 1:
            side.find("CLASS_KIND", Severity.BREAK, f"/classes/{path}", *kinds)


def _strict(side: Side) -> Severity:
    """Strict decoding lets only declared classes in; whether it is on may not be known."""
    strict = side.reads.store.strict_msgpack
    return Severity.BREAK if strict else Severity.RISK if strict is None else Severity.OK
