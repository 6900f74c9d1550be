"""Rules for classes: a checkpoint holds their paths, and objects are made anew of what was stored."""

from __future__ import annotations

from typing import Any

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Class
from rollout.contracts.counterparts import Counterpart, counterparts
from rollout.contracts.dropped_fields import lost
from rollout.contracts.reading_problems import new_problems, place_of, renamed
from rollout.contracts.schema.document import SchemaDocument
from rollout.contracts.schema.relation import compare
from rollout.contracts.schema.scalars import PYTHON_TYPE
from rollout.contracts.unseen import unseen
from rollout.model.agent_state import Axis, Severity

_NO_CLASS = Class()
"""What stands for a place without a class: nothing was checked there."""


def classes(side: Side) -> None:
    """Note which stored objects the reader cannot make again, or makes otherwise."""
    for name in sorted(side.writer.channels.keys() & side.reader.channels.keys()):
        _annotated(side, name)
    if side.at:
        return
    known = {path for channel in side.writer.channels.values() for path in channel.classes}
    if not side.is_langgraph:
        _renamed(side)
    for path, class_ in sorted(side.writes.classes.items()):
        if class_.alias is not None:
            continue
        severity = (
            Severity.BREAK
            if path in known or not side.is_langgraph
            else Severity.RISK
            if _may_be_held(side, class_)
            else Severity.OK
        )
        if severity is Severity.OK:
            continue
        other = side.reads.classes.get(path) or _namesake(side, path)
        if other is not None and other.alias is not None:
            other = side.reads.classes.get(other.alias, other)
        if other is not None:
            _remade(side, path, class_, other, severity)
            if severity is Severity.RISK and _is_shut_out(side, path):
                change = ("lets every class in", "lets only declared ones in")
                side.find("SERDE_ALLOWLIST", severity, f"/classes/{path}", *change)
        elif path not in known and side.is_langgraph:
            side.find("CLASS_PATH", Severity.RISK, f"/classes/{path}", path, "is not there")


def _namesake(side: Side, path: str) -> Class | None:
    """Return the class of the same name where paths are not stored: it may have moved."""
    if side.is_langgraph:
        return None
    name = path.rpartition(".")[2]
    same = [class_ for other, class_ in side.reads.classes.items() if other.rpartition(".")[2] == name]
    return same[0] if len(same) == 1 else None


def _renamed(side: Side) -> None:
    """Compare classes of other names that stand in the same place: where paths are not stored, names mean nothing."""
    written, read = side.writer.state.writer, side.reader.state.reader
    for place in counterparts(written, read):
        new = _by_name(side.reads.classes, place.new)
        if new is None:
            continue
        path, before = _by_name(side.writes.classes, place.old) or ("", _NO_CLASS)
        if path != new[0]:
            _remade(side, path or new[0], before, new[1], Severity.BREAK)
            if not path and new[1].extra == "ignore" and place.before.get("additionalProperties", False) is not False:
                change = ("keeps any key", "drops what it does not declare")
                code = "KEY_REMOVED" if side.is_backward else "KEY_ADDED"
                side.find(code, Severity.RISK, f"/classes/{new[0]}", *change)
        elif place.is_choice:
            _same_variant(side, place)


def _by_name(known: dict[str, Class], name: str) -> tuple[str, Class] | None:
    """Return a class by its path, or by its name alone where only one has it."""
    if name in known:
        return name, known[name]
    same = [(path, class_) for path, class_ in known.items() if path.rpartition(".")[2] == name]
    return same[0] if len(same) == 1 else None


def _same_variant(side: Side, place: Counterpart) -> None:
    """Note that what was one of several alternatives may be read as another one: its tag has moved."""
    if any(finding.severity is Severity.BREAK for finding in side.findings):
        return
    written, read = (
        SchemaDocument({**form, "$defs": root.get("$defs", {}) if isinstance(root, dict) else {}}).node
        for form, root in ((place.before, side.writer.state.writer), (place.after, side.reader.state.reader))
    )
    if compare(written, read, side.options, side.budget):
        side.find(
            "UNION_CHANGED", Severity.UNKNOWN, f"/classes/{place.new}", "was one of several", "may be another one now"
        )


def _annotated(side: Side, name: str) -> None:
    one, two = side.writer.channels[name], side.reader.channels[name]
    for path in sorted(set(one.classes) - set(two.classes)):
        if path not in side.reads.classes:
            side.find("CLASS_PATH", Severity.BREAK, f"/channels/{name}/classes", path, "is not there")
        elif path not in side.reads.store.allowed:
            side.find("SERDE_ALLOWLIST", _strict(side), f"/channels/{name}/classes", path, "is not declared here")


def _strict(side: Side) -> Severity:
    """Strict decoding lets only declared classes in; whether it is on may not be known."""
    strict = side.reads.store.strict_msgpack
    return Severity.BREAK if strict else Severity.RISK if strict is None else Severity.OK


def _is_shut_out(side: Side, path: str) -> bool:
    """Whether only the reader decodes strictly, and a class is neither declared nor allowed there."""
    declared = {path for channel in side.reader.channels.values() for path in channel.classes}
    reads, writes = side.reads.store, side.writes.store
    return bool(reads.strict_msgpack) and not writes.strict_msgpack and path not in {*declared, *reads.allowed}


def _may_be_held(side: Side, class_: Class) -> bool:
    """Whether a key may hold an object of a class that is annotated nowhere: it is open, or of a class above."""
    if not class_.is_made:
        return False
    schemas = _schemas(side.writer.state.writer)
    if side.writer.functional is not None or any(_is_open(schema) for schema in schemas):
        return True
    known = {path for channel in side.writer.channels.values() for path in channel.classes}
    libraries = tuple(f"{library}." for schema in schemas for library in _libraries(schema))
    return any(base in known or base.startswith(libraries) for base in class_.bases)


def _schemas(state: Any) -> list[Any]:
    return list(state.get("properties", {}).values()) if isinstance(state, dict) else [state]


def _libraries(schema: Any) -> set[str]:
    """Return the libraries whose types a key may hold."""
    if isinstance(schema, list):
        return {library for part in schema for library in _libraries(part)}
    if not isinstance(schema, dict):
        return set()
    own = {schema[PYTHON_TYPE]} if "." in str(schema.get(PYTHON_TYPE, "")) else set()
    return own | {library for part in schema.values() for library in _libraries(part)}


def _is_open(schema: Any) -> bool:
    """Whether a key of the state may hold anything."""
    if not isinstance(schema, dict):
        return schema is True
    inner = schema.get("items", {}) if schema.get("type") == "array" else schema.get("additionalProperties", {})
    if schema.get("type") == "array" or (schema.get("type") == "object" and "properties" not in schema):
        return _is_open(inner)
    if branches := [branch for key in ("anyOf", "oneOf") for branch in schema.get(key, ())]:
        return any(_is_open(branch) for branch in branches)
    return not {"type", "$ref", "allOf", "enum", "const", PYTHON_TYPE} & schema.keys()


def _remade(side: Side, path: str, one: Class, two: Class, severity: Severity) -> None:
    """Compare a class of both versions, of which objects may be stored."""
    where = f"/classes/{path}"
    if one.kind != two.kind and side.is_langgraph:
        side.find("CLASS_KIND", severity, where, one.kind, two.kind)
        return
    if one.checks != two.checks:
        side.find("CHECKS_CHANGED", Severity.UNKNOWN, f"{where}/checks", one.checks or "none", two.checks or "none")
    unseen(side, where, one, two)
    for name in sorted(one.members.keys() & two.members.keys()):
        if one.members[name] != two.members[name] and one.members[name] in two.members.values():
            change = (f"{name} is {members[name]}" for members in (one.members, two.members))
            side.find("ENUM_VALUE", severity, f"{where}/members/{name}", *change)
    if severity is Severity.RISK and None not in (one.writer, two.reader):
        _form(side, where, one, two)


def _form(side: Side, where: str, one: Class, two: Class) -> None:
    """Compare the form of a class that is annotated nowhere."""
    written, read = SchemaDocument(one.writer).node, SchemaDocument(two.reader).node
    own = SchemaDocument(one.reader).node if one.reader is not None else None
    for problem in new_problems(side, written, read, own):
        side.find("CLASS_FORM", Severity.RISK, place_of(problem, where), problem.wrote, problem.expects)
    for old, new, _ in renamed(side, written.named("properties"), read.named("properties")):
        if new not in read.keywords.get("required", ()):
            side.find("KEY_RENAMED", Severity.RISK, f"{where}/reader/properties/{new}", old, new)
    for pointer, name in lost(written, read, side.options, side.budget):
        code = "KEY_REMOVED" if side.is_backward else "KEY_ADDED"
        change = (f"writes {name}", "drops it at its next turn")
        side.find(code, Severity.RISK, f"{where}/writer{pointer}/properties/{name}", *change, axis=Axis.HOP)
