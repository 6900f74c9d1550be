"""Rules for how state is kept: reducers and kinds of channels."""

from __future__ import annotations

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Channel
from rollout.model.agent_state import Severity

DELTA = "DeltaChannel"


def keeping(side: Side) -> None:
    """Note what a reader makes of channels and classes that it keeps in another way."""
    for name in sorted(side.writer.channels.keys() & side.reader.channels.keys()):
        one, two = side.writer.channels[name], side.reader.channels[name]
        _kinds(side, name, one, two)
        if one.digest != two.digest:
            side.find("CHANNEL_KIND", Severity.UNKNOWN, f"/channels/{name}/digest", "one source", "another")
        _reducers(side, name, one, two)


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
    if known and one.reducer_digest == two.reducer_digest and _is_read(one) and _is_read(two):
        return  # whatever it is called, and wherever it stands
    if one.reducer != two.reducer:
        side.find("REDUCER_CHANGED", Severity.RISK, where, *change)
    elif known and one.reducer_digest != two.reducer_digest:
        side.find("REDUCER_CHANGED", Severity.RISK, where, f"{change[0]}, one source", "another")
    elif not known and any(reducer is not None and _is_unnamed(reducer) for reducer in (one.reducer, two.reducer)):
        side.find("REDUCER_UNKNOWN", Severity.UNKNOWN, where, *change)


def _is_read(channel: Channel) -> bool:
    """Whether the source of a reducer was read: of libraries' functions only the name is told."""
    return not (channel.reducer or "").startswith(("operator.", "langgraph.", "langchain", "functools."))


def _is_unnamed(reducer: str) -> bool:
    """Whether a name says too little: that of a lambda, or of a function made inside another, but for LangGraph's."""
    return "<lambda>" in reducer or ("<locals>" in reducer and not reducer.startswith("langgraph."))
