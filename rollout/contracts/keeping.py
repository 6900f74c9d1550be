"""Rules for how state is kept: reducers, kinds of channels, classes whose paths are written into checkpoints."""

from __future__ import annotations

from rollout.contracts.checking import Side
from rollout.contracts.contract import Channel
from rollout.model.state import Severity

DELTA = "DeltaChannel"


def keeping(side: Side) -> None:
    """Note what a reader makes of channels and classes that it keeps in another way."""
    for name in sorted(side.writer.channels.keys() & side.reader.channels.keys()):
        one, two = side.writer.channels[name], side.reader.channels[name]
        _kinds(side, name, one, two)
        _reducers(side, name, one, two)
        _classes(side, name, one, two)


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
    unnamed = [each for each in (one.reducer, two.reducer) if each is not None and _is_unnamed(each)]
    if unnamed:
        side.find("REDUCER_UNKNOWN", Severity.UNKNOWN, where, one.reducer or "none", two.reducer or "none")
    elif one.reducer != two.reducer:
        side.find("REDUCER_CHANGED", Severity.RISK, where, one.reducer or "none", two.reducer or "none")


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
        kinds = [each.classes[path].kind for each in (side.writes, side.reads) if path in each.classes]
        if len(set(kinds)) > 1:
            side.find("CLASS_KIND", Severity.BREAK, f"/classes/{path}", *kinds)


def _strict(side: Side) -> Severity:
    """Strict decoding lets only declared classes in; whether it is on may not be known."""
    strict = side.reads.store.strict_msgpack
    return Severity.BREAK if strict else Severity.RISK if strict is None else Severity.OK
