"""Rules for objects. A writer's names fall into classes: those told by name, by pattern, and whatever else may come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from types import MappingProxyType

from rollout.contracts.schema.atoms import Atom, Object, Value
from rollout.contracts.schema.automaton import Undecidable
from rollout.contracts.schema.document import SchemaNode, schema_node
from rollout.contracts.schema.evaluated import names_spoken_of
from rollout.contracts.schema.kinds import members_of, size
from rollout.contracts.schema.patterns import is_within, may_meet
from rollout.contracts.schema.problems import Problem, What, problem
from rollout.contracts.schema.rule import Comparison
from rollout.contracts.schema.scalars import found_in
from rollout.contracts.schema.values import holds

TEXT = schema_node({"type": "string"})

CASES_MAX = 3
"""Of so many patterns that cannot be told both cases are looked at."""


class Written:
    """What a writer may put into an object."""

    def __init__(self, relation: Comparison, kind: Object) -> None:
        self._relation, self.kind = relation, kind
        closing = [members for members in kind.members if relation.is_closed(members.owner)]
        self.is_closed = any(members.declares for members in closing) and all(
            members.others is None or members.others.schema is False for members in closing
        )
        self._closing = closing
        self.limited = self._limited()

    def _limited(self) -> frozenset[str] | None:
        """Return the names that `propertyNames` allows, if they are few."""
        for node in self.kind.names:
            atoms = self._relation.atoms({node, TEXT})
            if all(isinstance(atom.kind, Value) for atom in atoms):
                return frozenset(str(atom.kind.value) for atom in atoms if isinstance(atom.kind, Value))
        return None

    @property
    def names(self) -> frozenset[str]:
        """Every name that is spoken of."""
        declared = {name for member in self.kind.members for name in member.names}
        return frozenset(declared | self.kind.required | (self.limited or frozenset()))

    @property
    def patterns(self) -> frozenset[str]:
        return frozenset(pattern for member in self.kind.members for pattern in member.patterns)

    def what(self, name: str, assumed: Mapping[str, bool] = MappingProxyType({})) -> frozenset[SchemaNode]:
        """Return the schemas that surely hold for the member of a name.

        Args:
            assumed: of patterns that cannot be told.
        """
        nodes: set[SchemaNode] = set()
        self._relation.spend(sum(1 + len(member.patterns) for member in self.kind.members) // 2)
        for member in self.kind.members:
            matched = {pattern: assumed.get(pattern, found_in(pattern, name)) for pattern in member.patterns}
            nodes |= {member.patterns[pattern] for pattern, is_found in matched.items() if is_found}
            if name in member.names:
                nodes.add(member.names[name])
            elif member.others is not None and not any(is_found is not False for is_found in matched.values()):
                nodes.add(member.others)
        return frozenset(nodes)

    def others(self) -> frozenset[SchemaNode]:
        """Return the schemas that hold for a member that nobody speaks of."""
        return frozenset(member.others for member in self.kind.members if member.others is not None)

    def by_pattern(self, pattern: str) -> frozenset[SchemaNode]:
        """Return the schemas that hold for members whose names have a pattern."""
        return frozenset(member.patterns[pattern] for member in self.kind.members if pattern in member.patterns)

    def may_have(self, name: str) -> bool:
        """Whether a member of this name can be there; told wrong only by saying yes."""
        if name in self.kind.required:
            return True
        if name in self.kind.absent or (self.limited is not None and name not in self.limited):
            return False
        if any(holds(node, name) is False for node in self.kind.names):
            return False
        if self.is_closed and not any(
            name in members.names or any(found_in(pattern, name) is not False for pattern in members.patterns)
            for members in self._closing
        ):
            return False
        return not self._relation.is_impossible(self.what(name), 2)

    def may_have_others(self) -> bool:
        """Whether there can be members of which nobody speaks."""
        if self.is_closed or self.limited is not None:
            return False
        if self.kind.most is not None and self.kind.most <= len(self.kind.required):
            return False
        return not self._relation.is_impossible(self.others(), 2)

    def speaks_of(self, pattern: str) -> bool:
        """Whether every name with a pattern has one of the writer's too; told wrong only by saying no."""
        return any(_covers(own, pattern) for own in self.patterns)

    def most(self) -> int | None:
        """Return how many members there can be, if that is bounded."""
        bounds = [] if self.kind.most is None else [self.kind.most]
        if not self.may_have_others() and not self.patterns:
            bounds.append(sum(1 for name in self.names if self.may_have(name)))
        return min(bounds, default=None)


def is_nothing(relation: Comparison, kind: Object, depth: int) -> bool:
    """Whether no object is allowed: one that must be there cannot be."""
    if kind.required & kind.absent:
        return True
    if kind.most is not None and kind.most < kind.fewest:
        return True
    written = Written(relation, kind) if kind.required or kind.fewest else None
    if written is None:
        return False
    for name in sorted(kind.required):
        if any(holds(node, name) is False for node in kind.names):
            return True
        if relation.is_impossible(written.what(name), depth):
            return True
    most = written.most() if kind.fewest > len(kind.required) and depth > 1 else None
    return most is not None and most < kind.fewest


def object_(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    kind, keywords = atom.kind, reader.keywords
    if not isinstance(kind, Object):
        return
    written = Written(relation, kind)
    relation.spend(len(written.names))
    yield from _required(atom, written, reader)
    yield from _members(relation, atom, written, reader)
    yield from _names(relation, atom, written, reader)
    yield from _counts(atom, written, reader)
    yield from _dependencies(relation, atom, written, reader, loop)
    if "unevaluatedProperties" in keywords:
        yield from _unevaluated(relation, atom, written, reader)


def _required(atom: Atom, written: Written, reader: SchemaNode) -> Iterable[Problem]:
    wanted = reader.keywords.get("required")
    for name in wanted if isinstance(wanted, list) else ():
        if name not in written.kind.required:
            known = written.may_have(name)
            what, wrote = (What.OPTIONAL, "may leave it out") if known else (What.REQUIRED, "does not know it")
            yield problem(what, atom, reader, wrote, "it is required", at="/required", name=name)


def _members(relation: Comparison, atom: Atom, written: Written, reader: SchemaNode) -> Iterable[Problem]:
    expected = members_of(reader)
    if expected is None:
        return
    every = written.patterns | expected.patterns.keys()
    for name in sorted(written.names | expected.names.keys()):
        if not written.may_have(name):
            continue
        relation.spend(len(expected.patterns) // 2)
        for assumed in _cases(every, name):
            nodes = written.what(name, assumed)
            if assumed and relation.is_impossible(nodes, 2):
                continue
            wanted = [expected.names[name]] if name in expected.names else []
            matched = {pattern: assumed.get(pattern, found_in(pattern, name)) for pattern in expected.patterns}
            wanted += [expected.patterns[pattern] for pattern, is_found in matched.items() if is_found is not False]
            if expected.others is not None and name not in expected.names and True not in matched.values():
                wanted.append(expected.others)
            for node in wanted:
                yield from _member(relation, atom, nodes, node, name)
    for pattern in sorted(written.patterns):
        relation.spend(len(expected.patterns) // 2)
        wanted = [node for other, node in expected.patterns.items() if may_meet(pattern, other)]
        covered = any(_covers(other, pattern) for other in expected.patterns)
        wanted += [expected.others] if expected.others is not None and not covered else []
        if relation.is_impossible(written.by_pattern(pattern), 2):
            continue
        for node in wanted:
            yield from _member(relation, atom, written.by_pattern(pattern), node, pattern)
    if written.may_have_others():
        # Nobody speaks of them, so the writer's own patterns are not found in their names.
        wanted = [node for pattern, node in expected.patterns.items() if not written.speaks_of(pattern)]
        for node in (*wanted, *([expected.others] if expected.others is not None else ())):
            yield from _member(relation, atom, written.others(), node, "")


def _covers(outer: str, inner: str) -> bool:
    """Whether a pattern is found wherever another one is; told wrong only by saying no."""
    try:
        return is_within(inner, outer)
    except Undecidable:
        return False


def _cases(patterns: Iterable[str], name: str) -> list[dict[str, bool]]:
    """Return every way in which the patterns that cannot be told may match a name."""
    unknown = sorted(pattern for pattern in patterns if found_in(pattern, name) is None)[:CASES_MAX]
    return [dict(zip(unknown, assumption, strict=True)) for assumption in product((True, False), repeat=len(unknown))]


def _member(
    relation: Comparison, atom: Atom, nodes: frozenset[SchemaNode], wanted: SchemaNode, name: str
) -> Iterable[Problem]:
    if wanted.schema is False:
        wrote = f"writes {name or 'keys of any name'}"
        yield problem(What.MEMBER, atom, wanted, wrote, "takes no such key", name=name)
        return
    yield from relation.contains(nodes, wanted, below=True)


def _names(relation: Comparison, atom: Atom, written: Written, reader: SchemaNode) -> Iterable[Problem]:
    if "propertyNames" not in reader.keywords:
        return
    node = reader.child("propertyNames")
    for name in sorted(written.names):
        if written.may_have(name) and relation.contains(
            frozenset({schema_node({"const": name}), *written.kind.names}), node
        ):
            certain = holds(node, name) is False
            yield problem(What.MEMBER, atom, node, name, "other names", name=name, certain=certain)
    for pattern in sorted(written.patterns):
        named = frozenset({schema_node({"type": "string", "pattern": pattern}), *written.kind.names})
        yield from relation.contains(named, node, below=True)
    if written.may_have_others():
        yield from relation.contains(frozenset({TEXT, *written.kind.names}), node, below=True)


def _counts(atom: Atom, written: Written, reader: SchemaNode) -> Iterable[Problem]:
    fewest, most = size(reader.keywords.get("minProperties")), size(reader.keywords.get("maxProperties"))
    if fewest is not None and written.kind.fewest < fewest:
        wrote = f"{written.kind.fewest} members"
        yield problem(What.COUNT, atom, reader, wrote, f"at least {fewest}", at="/minProperties")
    if most is not None and ((own := written.most()) is None or own > most):
        wrote = "any number of members" if own is None else f"{own} members"
        yield problem(What.COUNT, atom, reader, wrote, f"at most {most}", at="/maxProperties")


def _dependencies(
    relation: Comparison, atom: Atom, written: Written, reader: SchemaNode, loop: frozenset[SchemaNode]
) -> Iterable[Problem]:
    """What must hold if a member is there."""
    del loop
    for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
        dependencies = reader.keywords.get(keyword)
        for name, need in dependencies.items() if isinstance(dependencies, dict) else ():
            node = schema_node({"required": need}) if isinstance(need, list) else reader.child(keyword, name)
            there = schema_node({"required": [name], "type": "object"})
            own = _needed(atom, name)
            if any(relation.same(node, own_node) for own_node in own):
                continue
            if own and not relation.atoms({*own, there}):  # whoever wrote that meant something else
                wrote = f"{name}, whose own needs cannot be met"
                yield problem(What.UNDECIDED, atom, reader, wrote, "what goes with it", at=f"/{keyword}", name=name)
            elif written.may_have(name) and relation.contains(atom.nodes | {there}, node):
                wrote = f"{name} without what it needs"
                yield problem(What.DEPENDENCY, atom, reader, wrote, "what goes with it", at=f"/{keyword}", name=name)


def _needed(atom: Atom, name: str) -> list[SchemaNode]:
    """Return what the writer says must hold if a member is there."""
    keywords = ("dependentSchemas", "dependencies")
    return [own for node in atom.nodes for keyword in keywords if (own := node.named(keyword).get(name)) is not None]


def _unevaluated(relation: Comparison, atom: Atom, written: Written, reader: SchemaNode) -> Iterable[Problem]:
    rest = reader.child("unevaluatedProperties")
    if rest.schema is True:
        return
    names, patterns, everything = names_spoken_of(relation, atom, reader, frozenset())
    if everything:
        return
    for name in sorted(written.names):
        is_spoken_of = name in names or any(found_in(pattern, name) for pattern in patterns)
        if not is_spoken_of and written.may_have(name):
            yield from _member(relation, atom, written.what(name), rest, name)
    for pattern in sorted(written.patterns - patterns):
        yield from _member(relation, atom, written.by_pattern(pattern), rest, pattern)
    if written.may_have_others():
        yield from _member(relation, atom, written.others(), rest, "")
