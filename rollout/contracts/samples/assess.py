"""What a version would make of live conversations: counts only. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rollout.contracts.contract import Contract, Graph
from rollout.contracts.samples.decode import Decoded
from rollout.contracts.samples.snapshot import START, Snapshot
from rollout.contracts.schema.document import Document, Node
from rollout.contracts.schema.scalars import PYTHON_TYPE
from rollout.contracts.schema.values import holds

REASONS_MAX = 20


@dataclass(frozen=True)
class Readability:
    """threads: conversations that a version cannot read or would end. reasons: why, with how many. undecided: of how
    many conversations something could not be told.
    """

    threads: frozenset[str] = frozenset()
    reasons: dict[str, int] = field(default_factory=dict)
    undecided: int = 0

    @property
    def affected(self) -> int:
        return len(self.threads)


def assess(snapshots: Iterable[Snapshot], reader: Contract) -> Readability:
    """Return what a version with this contract would make of conversations."""
    documents: dict[tuple[str, ...], Document] = {}
    reasons: Counter[str] = Counter()
    affected, undecided = set[str](), set[str]()
    for each in snapshots:
        found = set(_wrong(each, reader, documents))
        if each.undecodable or any(reason.startswith("?") for reason in found):
            undecided.add(each.thread)
        certain = {reason for reason in found if not reason.startswith("?")}
        reasons.update(certain)
        if certain:
            affected.add(each.thread)
    return Readability(frozenset(affected), dict(reasons.most_common(REASONS_MAX)), len(undecided))


def only_by(snapshots: Iterable[Snapshot], reader: Contract, other: Contract) -> Readability:
    """Return what `reader` cannot make of conversations, apart from what `other` cannot make of them either."""
    mine: dict[tuple[str, ...], Document] = {}
    others: dict[tuple[str, ...], Document] = {}
    reasons: Counter[str] = Counter()
    affected, undecided = set[str](), set[str]()
    for each in snapshots:
        found = set(_wrong(each, reader, mine))
        only = {reason for reason in found - set(_wrong(each, other, others)) if not reason.startswith("?")}
        reasons.update(only)
        if only:
            affected.add(each.thread)
        if each.undecodable or any(reason.startswith("?") for reason in found):
            undecided.add(each.thread)
    return Readability(frozenset(affected), dict(reasons.most_common(REASONS_MAX)), len(undecided))


def places(snapshots: Iterable[Snapshot]) -> dict[str, int]:
    """Return how many conversations wait, by where: nodes with the graphs they are in, and half-full joins."""
    found: Counter[str] = Counter()
    for each in snapshots:
        prefix = "".join(f"{name}/" for name in each.graph)
        found.update({prefix + name for name in (*each.waiting, *each.sends, *each.joins)})
    return dict(found.most_common(REASONS_MAX * 5))


def _wrong(found: Snapshot, reader: Contract, documents: dict[tuple[str, ...], Document]) -> Iterator[str]:
    """Return why a conversation cannot go on, each reason a short name; those that begin with ? are not certain."""
    graph: Graph = reader
    for depth, name in enumerate(found.graph):
        inner = graph.subgraphs.get(name)
        if inner is None:
            if found.is_waiting:
                yield f"node {'/'.join(found.graph[: depth + 1])}"
            return
        graph = inner
    prefix = "".join(f"{name}/" for name in found.graph)
    if reader.framework.name == "langgraph":
        nodes = {*graph.nodes, START, *([graph.functional.entrypoint] if graph.functional else [])}
        for name in {*found.waiting, *found.sends} - nodes:
            yield f"node {prefix}{name}"
        for join in found.joins:
            if join not in graph.joins:
                yield f"join {prefix}{join}"
    if found.graph not in documents:
        documents[found.graph] = Document(graph.state.reader)
    yield from _values(found, reader, graph, documents[found.graph].node, prefix)


def _accepted(schema: Node, decoded: Decoded) -> bool | None:
    """Whether a schema accepts a stored value; what a library keeps as its own, that library reads."""
    if not decoded.is_opaque:
        return holds(schema, decoded.value)
    said = schema.keywords
    items = schema.child("items").keywords if "items" in said and isinstance(said["items"], dict) else {}
    opaque = PYTHON_TYPE in said or PYTHON_TYPE in items or schema.schema in (True, {})
    return True if opaque and (PYTHON_TYPE not in said or "type" not in said) else None


def _values(found: Snapshot, reader: Contract, graph: Graph, node: Node, prefix: str) -> Iterator[str]:
    known = node.named("properties")
    for name, decoded in (*found.values.items(), *found.to_come):
        for path in decoded.classes - reader.classes.keys():
            yield f"class {path}"
        if name not in known:
            continue
        accepted = _accepted(known[name], decoded)
        if accepted is False:
            yield f"value of {prefix}{name}"
        elif accepted is None:
            yield f"?value of {prefix}{name}"
    if graph.state.kind in ("pydantic", "dataclass") and not found.undecodable:
        for name in node.keywords.get("required", ()):
            if name not in found.values:
                yield f"missing {prefix}{name}"
