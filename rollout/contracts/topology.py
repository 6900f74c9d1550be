"""Rules for where conversations wait: a checkpoint names nodes, joins and the order of questions, not code."""

from __future__ import annotations

from rollout.contracts.checking import Side
from rollout.contracts.contract import Graph
from rollout.model.state import Severity


def topology(side: Side) -> None:
    """Note where a conversation that waits in the writer's graph would be lost in the reader's."""
    _nodes(side)
    _joins(side)
    _questions(side)
    _static_interrupts(side)
    _functional(side)
    for name in sorted(side.writer.subgraphs.keys() ^ side.reader.subgraphs.keys()):
        if name in side.writer.nodes and name in side.reader.nodes:
            told = ("a graph", "a node") if name in side.writer.subgraphs else ("a node", "a graph")
            side.find("NODE_BECAME_SUBGRAPH", Severity.BREAK, f"/nodes/{name}", *told)


def _nodes(side: Side) -> None:
    for name in sorted(side.writer.nodes.keys() - side.reader.nodes.keys()):
        if side.is_backward or _asks(side.writer, name):
            code = "NODE_REMOVED" if side.is_backward else "NODE_ADDED"
            side.find(
                code, Severity.BREAK, f"/nodes/{name}", "can be waiting", "is not there", clearable=True, nodes=(name,)
            )
        else:  # it can be waiting too, if it crashed
            told = ("can be waiting after a failure", "is not there")
            side.find("NODE_ADDED", Severity.RISK, f"/nodes/{name}", *told, clearable=True, nodes=(name,))


def _asks(graph: Graph, name: str) -> bool:
    """Whether people are asked at a node, or in the graph inside it, so that conversations wait there for long."""
    inner = graph.subgraphs.get(name)
    if inner is not None and any(_asks(inner, each) for each in inner.nodes):
        return True
    return bool(graph.nodes[name].interrupt_calls) or name in (*graph.interrupt_before, *graph.interrupt_after)


def _joins(side: Side) -> None:
    """A join is kept under a name made of its sources, in order: under another name it is another join."""
    edges = set(side.reader.edges)
    for join in sorted(set(side.writer.joins) - set(side.reader.joins)):
        sources, _, target = join.removeprefix("join:").rpartition(":")
        if not all((source, target) in edges for source in sources.split("+")):
            side.find("JOIN_CHANGED", Severity.BREAK, "/joins", join, "is not there", clearable=True, nodes=(join,))
    for join in sorted(set(side.reader.joins) - set(side.writer.joins)):
        sources, _, target = join.removeprefix("join:").rpartition(":")
        known = target in side.writer.nodes and any(each in side.writer.nodes for each in sources.split("+"))
        if known and not any(each.rpartition(":")[2] == target for each in side.writer.joins):
            told = "was not counted"
            side.find("JOIN_CHANGED", Severity.BREAK, "/joins", told, join, clearable=True)


def _questions(side: Side) -> None:
    """Answers are handed to the questions of a node in order, from the first."""
    for name in sorted(side.writer.nodes.keys() & side.reader.nodes.keys()):
        asked, asks = side.writer.nodes[name].interrupt_calls, side.reader.nodes[name].interrupt_calls
        where = f"/nodes/{name}/interruptCalls"
        if asked is None or asks is None:
            told = ("cannot be told" if each is None else _listed(each) for each in (asked, asks))
            side.find("INTERRUPT_UNKNOWN", Severity.UNKNOWN, where, *told)
        elif asked and asks[: len(asked)] != asked:
            side.find("INTERRUPT_ORDER", Severity.BREAK, where, _listed(asked), _listed(asks), nodes=(name,))


def _listed(calls: tuple[str, ...]) -> str:
    return ", ".join(calls) or "nothing"


def _static_interrupts(side: Side) -> None:
    """Whoever waits at a static interrupt is stopped there for ever once the reader has not all of the keys."""
    stops = set(side.reader.interrupt_before)
    missing = sorted(side.writer.channels.keys() - side.reader.channels.keys())
    if stops and missing:
        told = (f"keeps {', '.join(missing)}", "does not")
        side.find(
            "STATIC_INTERRUPT_KEYSET", Severity.BREAK, "/interruptBefore", *told, clearable=True, nodes=tuple(stops)
        )


def _functional(side: Side) -> None:
    one, two = side.writer.functional, side.reader.functional
    if one is None and two is None:
        return
    if one is None or two is None or one.entrypoint != two.entrypoint:
        told = (each.entrypoint if each else "none" for each in (one, two))
        side.find("NODE_REMOVED" if side.is_backward else "NODE_ADDED", Severity.BREAK, "/functional/entrypoint", *told)
        return
    if one.tasks is None or two.tasks is None:
        side.find("INTERRUPT_UNKNOWN", Severity.UNKNOWN, "/functional/tasks", "cannot be told", "cannot be told")
    elif two.tasks[: len(one.tasks)] != one.tasks:
        side.find("TASK_ORDER", Severity.BREAK, "/functional/tasks", _listed(one.tasks), _listed(two.tasks))
