"""Rules for what joins schemas: all of them, any, exactly one, not, if."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from rollout.contracts.schema.atoms import Array, Atom, Number, Object, Value
from rollout.contracts.schema.document import SchemaNode, plain, schema_node
from rollout.contracts.schema.objects import Written
from rollout.contracts.schema.problems import Problem, What, problem
from rollout.contracts.schema.rule import Comparison

SPLITS_MAX = 3
"""So many times an atom is split, to find each part a branch of its own."""

PARTS_MAX = 64


def all_of(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    for branch in reader.children("allOf"):
        yield from relation.admits(atom, branch, loop)


def any_of(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    branches = reader.children("anyOf")
    if not branches or _says_the_same(relation, atom, reader, "anyOf"):
        return ()
    return _some(relation, atom, reader, branches, loop, exactly_one=False, splits=SPLITS_MAX)


def one_of(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    branches = reader.children("oneOf")
    if not branches or _says_the_same(relation, atom, reader, "oneOf"):
        return ()
    return _some(relation, atom, reader, branches, loop, exactly_one=True, splits=SPLITS_MAX)


def _says_the_same(relation: Comparison, atom: Atom, reader: SchemaNode, keyword: str) -> bool:
    """Whether one of the atom's schemas has the very same keyword, branch by branch."""
    if any(node.document is reader.document and node == reader for node in atom.nodes):
        return True
    wanted = reader.children(keyword)
    for node in atom.nodes:
        own = node.children(keyword)
        if len(own) == len(wanted) and all(relation.same(*pair) for pair in zip(own, wanted, strict=True)):
            return True
    return False


def _some(
    relation: Comparison,
    atom: Atom,
    reader: SchemaNode,
    branches: list[SchemaNode],
    loop: frozenset[SchemaNode],
    *,
    exactly_one: bool,
    splits: int,
) -> tuple[Problem, ...]:
    """Find the branch that accepts the atom, or a branch for each part of it."""
    why = [relation.admits(atom, branch, loop) for branch in branches]
    fitting = [branch for branch, problems in zip(branches, why, strict=True) if not problems]
    if fitting and not exactly_one:
        return ()
    if fitting and all(relation.is_disjoint(atom, branch) for branch in branches if branch is not fitting[0]):
        return ()
    if len(fitting) > 1:
        return (problem(What.AMBIGUOUS, atom, reader, f"{len(fitting)} branches fit", "exactly one", at="/oneOf"),)
    if splits:
        parts = _parts(relation, atom, branches)
        if parts:
            problems: list[Problem] = []
            for part in parts:
                if not relation.is_nothing(part):
                    left = splits - 1
                    problems += _some(relation, part, reader, branches, loop, exactly_one=exactly_one, splits=left)
            return tuple(problems)
    if fitting:
        expects = "more than one branch may fit"
        return (problem(What.AMBIGUOUS, atom, reader, expects, "exactly one", at="/oneOf", certain=False),)
    return _nearest(atom, reader, why, "oneOf" if exactly_one else "anyOf")


def _nearest(atom: Atom, reader: SchemaNode, why: list[tuple[Problem, ...]], keyword: str) -> tuple[Problem, ...]:
    """Return what is wrong, as the branch sees it that was most likely meant."""
    close = [problems for problems in why if not any(_is_other_kind(reason, reader) for reason in problems)]
    if len(close) == 1:
        return close[0]
    expects = f"none of {len(why)} branches"
    certain = all(any(reason.is_break for reason in problems) for problems in why) and isinstance(
        atom.kind, Number | Value
    )
    if not close:
        certain = all(any(reason.is_break for reason in problems) for problems in why)
    return (problem(What.UNION, atom, reader, atom.type, expects, at=f"/{keyword}", certain=certain),)


def _is_other_kind(reason: Problem, reader: SchemaNode) -> bool:
    """Whether a problem says that a branch is for another type, or another tag."""
    depth = reason.reader.count("/") - reader.pointer.count("/")
    return (reason.what is What.TYPE and depth <= 3) or (reason.what in (What.VALUE, What.UNION) and depth <= 5)


def _parts(relation: Comparison, atom: Atom, branches: list[SchemaNode]) -> list[Atom]:
    """Split an atom by what its members may be; nothing where that leads nowhere."""
    kind = atom.kind
    if isinstance(kind, Number) and (few := kind.few()) is not None:
        return [Atom(Value(value), atom.nodes, atom.nots, atom.exact) for value in few]
    if isinstance(kind, Array) and kind.shortest == 0 and kind.longest != 0:
        empty = Atom(Value([]), atom.nodes, atom.nots, atom.exact)
        filled = replace(atom, kind=replace(kind, shortest=1), nodes=atom.nodes | {schema_node({"minItems": 1})})
        return [empty, filled]
    if not isinstance(kind, Object):
        return []
    written = Written(relation, kind)
    for name in sorted(written.names):
        if name in kind.required and (tags := _tags(relation, written.what(name))):
            return [part for tag in tags for part in _with(relation, atom, {"properties": {name: tag}})]
    named = {name for branch in branches for name in _names(branch)}
    for name in sorted(written.names & named):
        if name not in kind.required and name not in kind.absent and written.may_have(name):
            absent = _with(relation, atom, {"properties": {name: False}}, absent=name)
            return absent + _with(relation, atom, {"required": [name]})
    return []


def _tags(relation: Comparison, nodes: frozenset[SchemaNode]) -> list[Any]:
    """Return schemas of our own that together cover what a member may be; none where it is of one kind only."""
    atoms = relation.atoms(nodes)
    tags: dict[Any, Any] = {}
    for atom in atoms:
        if isinstance(atom.kind, Value):
            tags[plain(atom.kind.value)] = {"const": atom.kind.value}
        else:
            tags["type", atom.type] = {"type": atom.type}
    return list(tags.values()) if 1 < len(tags) <= PARTS_MAX else []


def _names(branch: SchemaNode) -> Iterator[str]:
    """Return the names that a branch speaks of."""
    target = branch.target() or branch
    for node in {branch, target}:
        yield from (name for name in node.keywords.get("required", ()) if isinstance(name, str))
        yield from node.named("properties")


def _with(relation: Comparison, atom: Atom, schema: dict[str, Any], absent: str = "") -> list[Atom]:
    """Return the parts of an object atom for which one more schema holds."""
    parts = relation.atoms(atom.nodes | {schema_node({"type": "object", **schema})})
    kept = []
    for part in parts:
        if isinstance(part.kind, Object) and absent:
            part = replace(part, kind=replace(part.kind, absent=part.kind.absent | {absent}))  # noqa: PLW2901
        kept.append(replace(part, exact=part.exact and atom.exact))
    return kept


def negation(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    del loop
    if "not" not in reader.keywords:
        return
    barred = reader.child("not")
    if any("not" in node.keywords and relation.same(node.child("not"), barred) for node in atom.nodes):
        return
    if relation.is_disjoint(atom, barred):
        return
    for own in atom.nots:
        if not relation.contains(frozenset({barred}), own):
            return
    certain = not relation.admits(atom, barred)
    yield problem(What.NEGATION, atom, reader, f"perhaps such a {atom.type}", "none such", at="/not", certain=certain)


def conditional(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    keywords = reader.keywords
    if "if" not in keywords or not {"then", "else"} & keywords.keys():
        return
    if any(_same_condition(relation, node, reader) for node in atom.nodes):
        return
    condition = reader.child("if")
    meets, fails = not relation.admits(atom, condition), relation.is_disjoint(atom, condition)
    if "then" in keywords and not fails:
        met = [atom] if meets else relation.atoms(atom.nodes | {condition})
        for part in met:
            yield from relation.admits(part, reader.child("then"), loop if meets else frozenset())
    if "else" in keywords and not meets:
        yield from relation.admits(atom, reader.child("else"), loop)


def _same_condition(relation: Comparison, node: SchemaNode, reader: SchemaNode) -> bool:
    keys = {"if", "then", "else"} & reader.keywords.keys()
    return all(key in node.keywords and relation.same(node.child(key), reader.child(key)) for key in keys)
