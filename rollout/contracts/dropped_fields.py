"""What a reader drops because it does not know it: gone as soon as it writes. Found by walking both schemas."""

from __future__ import annotations

from rollout.contracts.schema.atoms import Array, Object
from rollout.contracts.schema.document import SchemaNode
from rollout.contracts.schema.expand import TooMany
from rollout.contracts.schema.relation import Budget, Options, Relation

LOSSES_MAX = 50
DEPTH_MAX = 12


def lost(
    writer: SchemaNode, reader: SchemaNode, options: Options, budget: Budget | None = None
) -> list[tuple[str, str]]:
    """Return pointers into the writer's schema and the names there that the reader does not keep."""
    walk = _Walk(Relation(writer.document, options, budget))
    try:
        walk.go(frozenset({writer}), frozenset({reader}), 0)
    except (TooMany, RecursionError):
        return walk.losses or [("", "?")]
    return walk.losses[:LOSSES_MAX]


class _Walk:
    def __init__(self, relation: Relation) -> None:
        self._relation = relation
        self._seen: set[tuple[frozenset[SchemaNode], frozenset[SchemaNode]]] = set()
        self.losses: list[tuple[str, str]] = []

    def go(self, writer: frozenset[SchemaNode], reader: frozenset[SchemaNode], depth: int) -> None:
        if (writer, reader) in self._seen or depth > DEPTH_MAX or not writer or not reader:
            return
        self._seen.add((writer, reader))
        if any(self._relation.same(one, two) for one in writer for two in reader):
            return
        mine, others = self._relation.atoms(writer), self._relation.atoms(reader)
        known = [atom.kind for atom in others if isinstance(atom.kind, Object)]
        for atom in mine:
            if isinstance(atom.kind, Object) and known:
                self._members(atom.kind, known, depth)
            if isinstance(atom.kind, Array):
                self._items(atom.kind, [other.kind for other in others if isinstance(other.kind, Array)], depth)

    def _members(self, written: Object, known: list[Object], depth: int) -> None:
        keeps = any(_keeps_everything(member) for member in known)
        for members in written.members:
            for name, node in sorted(members.names.items()):
                if name in written.absent or node.schema is False:
                    continue
                same = [member.names[name] for kind in known for member in kind.members if name in member.names]
                if same:
                    self.go(frozenset({node}), frozenset(same), depth + 1)
                elif not keeps and (place := (members.owner.pointer, name)) not in self.losses:
                    self.losses.append(place)
            if members.others is not None and members.others.schema not in (True, False):
                rest = [member.others for kind in known for member in kind.members if member.others is not None]
                self.go(frozenset({members.others}), frozenset(rest), depth + 1)

    def _items(self, written: Array, known: list[Array], depth: int) -> None:
        for index in range(min(written.declared + 1, DEPTH_MAX)):
            others = frozenset(node for kind in known for node in kind.at(index))
            self.go(written.at(index), others, depth + 1)


def _keeps_everything(kind: Object) -> bool:
    """Whether a reader keeps members that it does not know: it says so, or lists none at all."""
    if not kind.members:
        return True
    says = [member for member in kind.members if member.others is not None and member.others.schema is not False]
    return bool(says) or not any(member.declares or member.others is not None for member in kind.members)
