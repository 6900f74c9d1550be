"""Rules for where conversations wait: a checkpoint names nodes, joins and the order of questions, not code."""

from __future__ import annotations

from rollout.contracts.comparison import Side
from rollout.contracts.questions import questions
from rollout.contracts.waiting import asks, asks_anywhere, ends_of, listed, reached
from rollout.contracts.ways import ways
from rollout.model.agent_state import Severity


def topology(side: Side) -> None:
    """Note where a conversation that waits in the writer's graph would be lost in the reader's."""
    _nodes(side)
    _joins(side)
    ways(side)
    questions(side)
    _static_interrupts(side)
    _functional(side)
    for name in sorted(side.writer.subgraphs.keys() ^ side.reader.subgraphs.keys()):
        if name in side.writer.nodes and name in side.reader.nodes:
            change = ("a graph", "a node") if name in side.writer.subgraphs else ("a node", "a graph")
            side.find("NODE_BECAME_SUBGRAPH", Severity.BREAK, f"/nodes/{name}", *change)
    for name in sorted(side.writer.subgraphs.keys() - side.reader.subgraphs.keys()):
        host, _, one_of_several = name.partition("#")
        if one_of_several and host in side.reader.nodes and asks_anywhere(side.writer.subgraphs[name]):
            code = "NODE_REMOVED" if side.is_backward else "NODE_ADDED"
            change = ("can be waiting", "is not there")
            side.find(code, Severity.BREAK, f"/subgraphs/{name}", *change, clearable=True, nodes=(host,))


def _nodes(side: Side) -> None:
    for name in sorted(side.writer.nodes.keys() - side.reader.nodes.keys()):
        if side.is_backward or asks(side.writer, name):
            code = "NODE_REMOVED" if side.is_backward else "NODE_ADDED"
            side.find(
                code, Severity.BREAK, f"/nodes/{name}", "can be waiting", "is not there", clearable=True, nodes=(name,)
            )
        else:  # it can be waiting too, if it crashed
            change = ("can be waiting after a failure", "is not there")
            side.find("NODE_ADDED", Severity.RISK, f"/nodes/{name}", *change, clearable=True, nodes=(name,))


def _joins(side: Side) -> None:
    """A join is kept under a name made of its sources, in order: under another name it is another join."""
    edges = set(side.reader.edges)
    for join in sorted(set(side.writer.joins) - set(side.reader.joins)):
        sources, target = ends_of(join)
        covered = all((source, target) in edges for source in sources)
        severity = Severity.BREAK
        if covered and target in side.writer.nodes and not asks(side.writer, target):
            severity = Severity.RISK  # only who has failed at the target was started by the join
        instead = [
            other for other in side.reader.joins if ends_of(other)[1] == target and other not in side.writer.joins
        ]
        change = (join, instead[0] if instead else "is not there")
        side.find("JOIN_CHANGED", severity, f"/joins/{join}", *change, clearable=True, nodes=(join, target))
    for join in sorted(set(side.reader.joins) - set(side.writer.joins)):
        sources, target = ends_of(join)
        changed = any(ends_of(other)[1] == target and other not in side.reader.joins for other in side.writer.joins)
        if any(name in side.writer.nodes for name in sources) and not changed:
            side.find("JOIN_CHANGED", Severity.BREAK, f"/joins/{join}", "was not counted", join, clearable=True)


def _static_interrupts(side: Side) -> None:
    """Whoever waits at a static interrupt is stopped there for ever once the reader has not all of the keys."""
    stops = set(side.reader.interrupt_before)
    missing = sorted(side.writer.channels.keys() - side.reader.channels.keys())
    if stops and missing:
        change = (f"keeps {', '.join(missing)}", "does not")
        nodes = tuple(stops)
        side.find("STATIC_INTERRUPT_KEYSET", Severity.BREAK, "/interruptBefore", *change, clearable=True, nodes=nodes)
    for key, one, two in (
        ("interruptBefore", side.writer.interrupt_before, side.reader.interrupt_before),
        ("interruptAfter", side.writer.interrupt_after, side.reader.interrupt_after),
    ):
        for name in sorted((set(one) - set(two)) & side.reader.nodes.keys()):
            waiting = tuple(sorted(set(one) - {name}))
            if any(name in reached(side.writer, stop) for stop in waiting):
                change = (f"stops at {name}", "goes on")
                side.find("WAY_CHANGED", Severity.RISK, f"/{key}", *change, clearable=True, nodes=waiting)
        for name in sorted((set(two) - set(one)) & side.writer.nodes.keys()):
            change = ("goes on", f"stops at {name}")
            side.find("WAY_CHANGED", Severity.RISK, f"/{key}", *change, clearable=True, nodes=(name,))


def _functional(side: Side) -> None:
    one, two = side.writer.functional, side.reader.functional
    if one is None and two is None:
        return
    if one is None or two is None or one.entrypoint != two.entrypoint:
        change = (form.entrypoint if form else "none" for form in (one, two))
        side.find(
            "NODE_REMOVED" if side.is_backward else "NODE_ADDED", Severity.BREAK, "/functional/entrypoint", *change
        )
        return
    if one.tasks is not None and two.tasks is not None and two.tasks[: len(one.tasks)] != one.tasks:
        side.find("TASK_ORDER", Severity.BREAK, "/functional/tasks", listed(one.tasks), listed(two.tasks))
        return
    if one.digest is not None and one.digest == two.digest:
        return
    sources = side.sources(one.parts, two.parts)
    side.find("INTERRUPT_UNKNOWN", Severity.UNKNOWN, "/functional/digest", *sources)
