"""What a version would make of live conversations: counts only. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rollout.contracts.contract import Contract, Graph
from rollout.contracts.samples.decode import Decoded
from rollout.contracts.samples.snapshot import START, Snapshot
from rollout.contracts.schema.document import SchemaDocument, SchemaNode
from rollout.contracts.schema.scalars import PYTHON_TYPE
from rollout.contracts.schema.values import holds

REASONS_MAX = 20


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a conversation cannot go on, as a short name.

    Attributes:
        certain: whether it surely cannot; else nothing can be said.
    """

    name: str
    certain: bool = True


@dataclass(frozen=True)
class Readability:
    """How many stored conversations a version reads.

    Attributes:
        threads: conversations that a version cannot read or would end.
        reasons: why, with how many.
        undecided: of how many conversations something could not be told.
    """

    threads: frozenset[str] = frozenset()
    reasons: dict[str, int] = field(default_factory=dict)
    undecided: int = 0

    @property
    def affected(self) -> int:
        return len(self.threads)


def assess(snapshots: Iterable[Snapshot], reader: Contract) -> Readability:
    """Return what a version with this contract would make of conversations."""
    documents: dict[tuple[str, ...], SchemaDocument] = {}
    reasons: Counter[str] = Counter()
    affected, undecided = set[str](), set[str]()
    for snapshot in snapshots:
        obstacles = _all_obstacles(snapshot, reader, documents)
        if snapshot.undecodable or not all(obstacle.certain for obstacle in obstacles):
            undecided.add(snapshot.thread)
        certain = {obstacle.name for obstacle in obstacles if obstacle.certain}
        reasons.update(certain)
        if certain:
            affected.add(snapshot.thread)
    return Readability(frozenset(affected), dict(reasons.most_common(REASONS_MAX)), len(undecided))


def only_by(snapshots: Iterable[Snapshot], reader: Contract, other: Contract) -> Readability:
    """Return what `reader` cannot make of conversations, apart from what `other` cannot make of them either."""
    mine: dict[tuple[str, ...], SchemaDocument] = {}
    others: dict[tuple[str, ...], SchemaDocument] = {}
    reasons: Counter[str] = Counter()
    affected, undecided = set[str](), set[str]()
    for snapshot in snapshots:
        obstacles = _all_obstacles(snapshot, reader, mine)
        own = obstacles - _all_obstacles(snapshot, other, others)
        certain = {obstacle.name for obstacle in own if obstacle.certain}
        reasons.update(certain)
        if certain:
            affected.add(snapshot.thread)
        if snapshot.undecodable or not all(obstacle.certain for obstacle in obstacles):
            undecided.add(snapshot.thread)
    return Readability(frozenset(affected), dict(reasons.most_common(REASONS_MAX)), len(undecided))


def places(snapshots: Iterable[Snapshot]) -> dict[str, int]:
    """Return how many conversations wait, by where: nodes with the graphs they are in, and half-full joins."""
    waiting: Counter[str] = Counter()
    for snapshot in snapshots:
        prefix = "".join(f"{name}/" for name in snapshot.graph)
        waiting.update({prefix + name for name in (*snapshot.waiting, *snapshot.sends, *snapshot.joins)})
    return dict(waiting.most_common(REASONS_MAX * 5))


def _all_obstacles(
    snapshot: Snapshot, reader: Contract, documents: dict[tuple[str, ...], SchemaDocument]
) -> set[Obstacle]:
    """Return why a conversation cannot go on. One that nobody can judge is one that is undecided, and no other is."""
    try:
        return set(_obstacles(snapshot, reader, documents))
    except Exception as error:  # noqa: BLE001  values are whatever an agent has stored
        return {Obstacle(f"cannot be judged ({type(error).__name__})", certain=False)}


def _obstacles(
    snapshot: Snapshot, reader: Contract, documents: dict[tuple[str, ...], SchemaDocument]
) -> Iterator[Obstacle]:
    """Return why a conversation cannot go on."""
    graph: Graph = reader
    for depth, name in enumerate(snapshot.graph):
        candidates = graph.inside(name)
        if not candidates:
            if snapshot.is_waiting:
                yield Obstacle(f"node {'/'.join(snapshot.graph[: depth + 1])}")
            return
        below = {*snapshot.waiting, *snapshot.sends, *snapshot.graph[depth + 1 : depth + 2]}
        graph = max(candidates, key=lambda inner: len(below & inner.nodes.keys()))
    prefix = "".join(f"{name}/" for name in snapshot.graph)
    if reader.framework.name == "langgraph":
        nodes = {*graph.nodes, START, *([graph.functional.entrypoint] if graph.functional else [])}
        for name in {*snapshot.waiting, *snapshot.sends} - nodes:
            yield Obstacle(f"node {prefix}{name}")
        for join in snapshot.joins:
            if join not in graph.joins:
                yield Obstacle(f"join {prefix}{join}")
    if snapshot.graph not in documents:
        documents[snapshot.graph] = SchemaDocument(graph.state.reader)
    yield from _values(snapshot, reader, graph, documents[snapshot.graph].node, prefix)


def _accepted(schema: SchemaNode, decoded: Decoded) -> bool | None:
    """Whether a schema accepts a stored value; what a library keeps as its own, that library reads."""
    if not decoded.is_opaque:
        return holds(schema, decoded.value)
    keywords = schema.keywords
    items = schema.child("items").keywords if "items" in keywords and isinstance(keywords["items"], dict) else {}
    opaque = PYTHON_TYPE in keywords or PYTHON_TYPE in items or schema.schema in (True, {})
    return True if opaque and (PYTHON_TYPE not in keywords or "type" not in keywords) else None


def _values(snapshot: Snapshot, reader: Contract, graph: Graph, node: SchemaNode, prefix: str) -> Iterator[Obstacle]:
    known = node.named("properties")
    for name, decoded in (*snapshot.values.items(), *snapshot.to_come):
        for path in decoded.classes - reader.classes.keys():
            yield Obstacle(f"class {path}")
        if name not in known:
            continue
        accepted = _accepted(known[name], decoded)
        if accepted is False:
            yield Obstacle(f"value of {prefix}{name}")
        elif accepted is None:
            yield Obstacle(f"value of {prefix}{name}", certain=False)
    if graph.state.kind in ("pydantic", "dataclass") and not snapshot.undecodable:
        for name in node.keywords.get("required", ()):
            if name not in snapshot.values:
                yield Obstacle(f"missing {prefix}{name}")
