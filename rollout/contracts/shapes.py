"""Rules for the shape of the state: what is written against what is read, and what gets lost on the way.

Sources: knowledge of LangGraph 1.2 (a checkpoint is read channel by channel), pydantic 2 (a model drops what it does
not know), and the relation of JSON Schemas in `schema`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from rollout.contracts.comparison import Side
from rollout.contracts.dropped_fields import lost
from rollout.contracts.reading_problems import new_problems, place_of, renamed, says_the_same
from rollout.contracts.schema.atoms import type_of
from rollout.contracts.schema.document import SchemaDocument, SchemaNode
from rollout.contracts.schema.problems import Problem, What
from rollout.contracts.schema.relation import compare
from rollout.contracts.schema.scalars import PYTHON_TYPE
from rollout.contracts.unseen import unseen
from rollout.model.agent_state import Axis, Severity

ROOT = "__root__"
"""The channel of a state that is no mapping of declared keys."""

_NOTHING = object()


def shape(side: Side) -> None:
    """Note what the reader cannot make of what the writer wrote, and what a hop would lose."""
    writer, reader = side.written.node, side.read.node
    by_key = all(isinstance(node.schema, dict) and "properties" in node.schema for node in (writer, reader))
    if side.is_langgraph and by_key:
        _by_key(side, writer, reader)
        _inputs(side, writer)
        _kinds(side)
    else:
        for problem in new_problems(side, writer, reader, SchemaDocument(side.writer.state.reader).node):
            _note(side, problem)
        _undeclared(side)
    _renamed_inside(side, by_key=side.is_langgraph and by_key)
    _checks(side)
    if not side.writes.is_bare and not side.reads.is_bare:
        _defaults(side, writer, reader)
    _losses(side, writer, reader)


def _undeclared(side: Side) -> None:
    """Where a graph declares no keys, its code decides: the same code reads the same."""
    one, two = ({name: node.digest for name, node in graph.nodes.items()} for graph in (side.writer, side.reader))
    schemas = (side.writer.state.writer, side.reader.state.reader)
    declares = all(isinstance(schema, dict) and "properties" in schema for schema in schemas)
    if ROOT in side.writer.channels and not declares and (one != two or None in one.values()):
        side.find("UNDECIDABLE", Severity.UNKNOWN, "/state/reader", "no keys are declared", "and the code has changed")


def _losses(side: Side, writer: SchemaNode, reader: SchemaNode) -> None:
    """A reader that does not know a key drops it when it writes: on the way back it is gone."""
    for pointer, name in lost(writer, reader, side.options, side.budget):
        code = "KEY_REMOVED" if side.is_backward else "KEY_ADDED"
        change = (f"writes {name}", "drops it at its next turn")
        side.find(code, Severity.RISK, f"/state/writer{pointer}/properties/{name}", *change, axis=Axis.HOP)


def _by_key(side: Side, writer: SchemaNode, reader: SchemaNode) -> None:
    """Compare a state that is kept key by key: unknown keys never reach the reader, absent ones were never written."""
    written, known = writer.named("properties"), reader.named("properties")
    own = SchemaDocument(side.writer.state.reader).node.named("properties")
    for name in sorted(written.keys() & known.keys()):
        for problem in new_problems(side, written[name], known[name], own.get(name)):
            _note(side, problem)
    required = {name for name in reader.keywords.get("required", ()) if isinstance(name, str)}
    promised = set(writer.keywords.get("required", ()))
    keys_renamed = renamed(side, written, known)
    for old, new, severity in keys_renamed:
        side.find("KEY_RENAMED", severity, f"/state/reader/properties/{new}", old, new)
    for name in sorted(required - promised):
        if any(name == new and severity is Severity.BREAK for _, new, severity in keys_renamed):
            continue
        code = "REQUIREDNESS" if name in written else "REQUIRED_KEY_ADDED" if side.is_backward else "KEY_REMOVED"
        wrote = "may be missing" if name in written else "is not written"
        severity = Severity.RISK if side.reader.state.kind == "typeddict" else Severity.BREAK
        side.find(code, severity, f"/state/reader/properties/{name}", wrote, "is required")


def _inputs(side: Side, writer: SchemaNode) -> None:
    """What a node reads may be checked more strictly than the state: what is new in that counts."""
    for name in sorted(side.writer.nodes.keys() & side.reader.nodes.keys()):
        before, after = side.writer.nodes[name].input, side.reader.nodes[name].input
        if after is None or before == after:
            continue
        node, written = SchemaDocument(after.reader).node, writer.named("properties")
        old = SchemaDocument(before.reader).node if before is not None else None
        where = f"/nodes/{name}/input/reader"
        soft = Severity.RISK if after.kind == "typeddict" else Severity.BREAK
        known = set(old.keywords.get("required", ())) if old is not None else set()
        for key in sorted(set(node.keywords.get("required", ())) - known - set(writer.keywords.get("required", ()))):
            side.find("REQUIRED_KEY_ADDED", soft, f"{where}/properties/{key}", "may be missing", "is required")
        for key, field in sorted(node.named("properties").items()):
            same = (
                old is not None
                and key in old.named("properties")
                and says_the_same(side, old.named("properties")[key], field)
            )
            if not same and key in written and compare(written[key], field, side.options, side.budget):
                side.find("NARROWED", soft, f"{where}/properties/{key}", "was read otherwise", "may not fit")


def _kinds(side: Side) -> None:
    """Another kind of state checks, or fills in, what the other one does not; so do other validators."""
    one, two = side.writer.state, side.reader.state
    where = "/state/kind"
    if one.kind != two.kind:
        side.find("STATE_KIND", Severity.RISK, where, one.kind, two.kind)


def _checks(side: Side) -> None:
    """Other validators take, or make, other values."""
    one, two = side.writer.state, side.reader.state
    if one.checks != two.checks:
        side.find("CHECKS_CHANGED", Severity.UNKNOWN, "/state/checks", one.checks or "none", two.checks or "none")
    if side.is_langgraph:  # only declared keys reach a state
        one, two = (state.model_copy(update={"extra": ""}) for state in (one, two))
    unseen(side, "/state", one, two)


def _defaults(side: Side, writer: SchemaNode, reader: SchemaNode) -> None:
    """A key that was not written is read as the default of whoever reads it."""
    before, after = SchemaDocument(side.writer.state.reader).node.named("properties"), reader.named("properties")
    always = (
        set(writer.keywords.get("required", ())) if side.is_langgraph else set()
    )  # others may leave out what is unset
    for name in sorted(before.keys() & after.keys() - always):
        values = [
            node.keywords.get("default", _NOTHING) if isinstance(node.schema, dict) else _NOTHING
            for node in (before[name], after[name])
        ]
        factories = [state.factories.get(name) for state in (side.writer.state, side.reader.state)]
        if factories[0] != factories[1] and None not in factories and side.is_langgraph:
            where = f"/state/factories/{name}"
            side.find("DEFAULT_CHANGED", Severity.RISK, where, "is made by one function", "by another")
        flips = all(isinstance(value, bool) for value in values)
        if values[0] != values[1] and _NOTHING not in values and (flips or side.is_langgraph):
            change = (json.dumps(value, default=str) for value in values)
            side.find("DEFAULT_CHANGED", Severity.RISK, f"/state/reader/properties/{name}/default", *change)


def _renamed_inside(side: Side, *, by_key: bool) -> None:
    """Where all is optional a key that was renamed is dropped without a word."""
    if side.writes.is_bare or side.reads.is_bare:
        return
    pairs = [] if by_key else [("", side.written.node, side.read.node)]
    written, read = (document.node.named("$defs") for document in (side.written, side.read))
    pairs += [(f"/$defs/{name}", written[name], read[name]) for name in sorted(written.keys() & read.keys())]
    for where, one, two in pairs:
        if not all(isinstance(node.schema, dict) and "properties" in node.schema for node in (one, two)):
            continue
        required = set(two.keywords.get("required", ()))
        own = SchemaDocument(side.writer.state.reader).node.at(where)
        read_before = own.named("properties") if own is not None else {}
        for old, new, severity in renamed(side, one.named("properties"), two.named("properties")):
            by_name = (
                not where and old in side.reader.state.unseen and "by_name" in side.reader.state.unseen.get("", "")
            )
            if new not in required and new not in read_before and not by_name:  # else found missing, or read by both
                side.find("KEY_RENAMED", severity, f"/state/reader{where}/properties/{new}", old, new)


_SOFT = frozenset({"typeddict", "dataclass"})
"""Kinds of state that load whatever is there: what is wrong shows later, or never."""


def _note(side: Side, problem: Problem) -> None:
    """Turn a problem into a finding."""
    if _only_says_more(side, problem):
        return
    severity = Severity.BREAK if problem.is_break else Severity.UNKNOWN
    code = _code(side, problem)
    soft = side.reader.state.kind in _SOFT and side.is_langgraph
    if soft and severity is Severity.BREAK and code != "TYPE_CHANGED" and not _is_in_class(side, problem):
        severity = Severity.RISK
    side.find(code, severity, place_of(problem), problem.wrote, problem.expects)


_MEMBERS = re.compile(r"/(items|additionalProperties)(?=/|$)")
_UNCHECKED = frozenset({"dataclass", "typeddict", "enum"})


def _only_says_more(side: Side, problem: Problem) -> bool:
    """Whether a hint only says now what is in a list, or an object, where nothing was said and nothing is checked.

    `list` became `list[str]`: what is read is the same, and so is the code that reads it.
    """
    if not side.is_langgraph or side.reader.state.kind not in _SOFT:
        return False
    if _is_in_class(side, problem) and not {known.kind for known in side.reads.classes.values()} <= _UNCHECKED:
        return False
    places = (problem.writer[: part.end()] for part in _MEMBERS.finditer(problem.writer))
    return any(side.written.at(place) in ({}, True) for place in places)


def _is_in_class(side: Side, problem: Problem) -> bool:
    """Whether it is inside a class: those are rebuilt from what is stored, whatever holds them."""
    steps = problem.reader.split("/")
    channel = side.reader.channels.get(steps[2]) if steps[1:2] == ["properties"] else None
    return bool(channel.classes) if channel else bool(side.reads.classes) and "/$defs/" in problem.reader


def _code(side: Side, problem: Problem) -> str:
    match problem.what:
        case What.TYPE:
            return _typed(side, problem)
        case What.OPTIONAL:
            return "REQUIREDNESS"
        case What.REQUIRED:
            return "REQUIRED_KEY_ADDED" if side.is_backward else "KEY_REMOVED"
        case What.MEMBER:
            return "KEY_REMOVED" if side.is_backward else "KEY_ADDED"
        case What.UNION | What.AMBIGUOUS:
            return "UNION_CHANGED"
        case What.REFERENCE:
            return "FOREIGN_REFERENCE"
        case What.TOO_LARGE:
            return "SCHEMA_TOO_LARGE"
        case What.DIALECT | What.LOOP | What.UNDECIDED:
            return "UNDECIDABLE"
        case _:
            return "NARROWED" if side.is_backward else "WIDENED"


def _typed(side: Side, problem: Problem) -> str:
    """Say whether one type became another, or there are fewer, or more: some of what is written still fits."""
    if problem.reader.endswith(f"/{PYTHON_TYPE}"):
        return "TYPE_CHANGED"
    node = side.read.node.at(problem.reader.rpartition("/")[0])
    own = side.written.node.at(problem.writer)
    if node is None or own is None:
        return "TYPE_CHANGED"
    kinds, read = _types(own), _types(node)
    if kinds & read or (None in kinds) or (read >= {"number"} and "integer" in kinds):
        return "NARROWED" if side.is_backward else "WIDENED"
    return "TYPE_CHANGED"


def _types(node: SchemaNode) -> set[str | None]:
    """Return the types a schema speaks of, one level of alternatives included; None for any."""
    if not isinstance(node.schema, dict):
        return {None}
    types: set[str | None] = set()
    for branch in (node, *node.children("anyOf"), *node.children("oneOf")):
        target = branch.target() or branch
        declared = target.keywords.get("type") if isinstance(target.schema, dict) else None
        types |= set([declared] if isinstance(declared, str) else declared or ())
        types |= {_of_value(value) for value in _values(target)}
    return types or {None}


def _values(node: SchemaNode) -> Iterable[object]:
    keywords = node.keywords
    return [keywords["const"]] if "const" in keywords else keywords.get("enum", ())


def _of_value(value: object) -> str:
    return type_of(value)
