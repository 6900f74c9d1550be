"""Rules for where conversations go on: what starts a node, and which nodes follow it."""

from __future__ import annotations

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Graph
from rollout.contracts.waiting import asks, listed, reached, ways_out
from rollout.model.agent_state import Severity


def ways(side: Side) -> None:
    """Note where whoever waits goes another way in the reader's graph, or begins a node anew."""
    _followers(side)
    _deciders(side)
    _labels(side)
    _starts(side)


def _followers(side: Side) -> None:
    """Whoever waits at a node goes on from there: of the nodes of both versions the same ones come next, and later.

    Both are compared: in a cycle everything comes later, and at the end of a way nothing comes next.
    """
    shared = side.writer.nodes.keys() & side.reader.nodes.keys()
    for name in sorted(shared):
        following = [_next(graph, name, shared) for graph in (side.writer, side.reader)]
        if None in following:
            continue  # it may go anywhere: only its code decides
        reaching = [reached(graph, name) & shared for graph in (side.writer, side.reader)]
        always = [_always(graph, name) & shared for graph in (side.writer, side.reader)]
        before, after = following if following[0] != following[1] else reaching
        if before == after and side.writer.branches.get(name) and side.reader.branches.get(name):
            before, after = always
        if before != after:
            change = (f"leads to {listed(sorted(ends or ()))}" for ends in (before, after))
            severity = Severity.BREAK if asks(side.writer, name) else Severity.RISK
            side.find("WAY_CHANGED", severity, f"/nodes/{name}", *change, clearable=True, nodes=(name,))


def _deciders(side: Side) -> None:
    """What decides, between two questions, whether the next one is asked, goes by other code."""
    for name in sorted(side.writer.nodes.keys() & side.reader.nodes.keys()):
        before, after = side.writer.nodes[name].decides, side.reader.nodes[name].decides
        if before is None or after is None or before == after:
            continue
        asking = sorted(other for other in side.writer.nodes if asks(side.writer, other) and other != name)
        waiting = tuple(other for other in asking if name in reached(side.writer, other))
        later = reached(side.reader, name) & side.reader.nodes.keys()
        if waiting and any(asks(side.reader, other) for other in later):
            where, change = f"/nodes/{name}/decides", ("one source", "another")
            side.find("WAY_CHANGED", Severity.UNKNOWN, where, *change, clearable=True, nodes=waiting)


def _next(graph: Graph, name: str, shared: set[str]) -> set[str] | None:
    """Return the first of the shared nodes on every way out of one; None where a way is not declared."""
    after, seen = ways_out(graph), {name}
    first, pending = set[str](), [name]
    while pending:
        at = pending.pop()
        if at in graph.nodes and graph.nodes[at].routes_anywhere:
            return None
        for follower in after.get(at, ()):
            if follower in shared:
                first.add(follower)
            elif follower not in seen:
                seen.add(follower)
                pending.append(follower)
    return first


def _always(graph: Graph, name: str) -> set[str]:
    """Return the nodes that follow one whatever is decided there."""
    return {after for before, after in graph.edges if before == name}


def _labels(side: Side) -> None:
    shared = side.writer.nodes.keys() & side.reader.nodes.keys()
    for name in sorted(side.writer.branches.keys() & side.reader.branches.keys()):
        one, two = side.writer.branches[name], side.reader.branches[name]
        for label in sorted(one.keys() & two.keys()):
            if one[label] != two[label] and {one[label], two[label]} & shared:
                ends = [f"{label} leads to {ways[label]}" for ways in (one, two)]
                side.find("WAY_CHANGED", Severity.BREAK, f"/branches/{name}", *ends, clearable=True)


def _starts(side: Side) -> None:
    """What starts a node is part of what a task is known by: under another one it begins anew, and answers are lost."""
    for name in sorted(side.writer.nodes.keys() & side.reader.nodes.keys()):
        one, two = side.writer.nodes[name], side.reader.nodes[name]
        where = f"/nodes/{name}"
        if one.defer != two.defer:
            defers = ["deferred" if node.defer else "not deferred" for node in (one, two)]
            side.find("START_CHANGED", Severity.BREAK, f"{where}/defer", *defers, clearable=True)
        started = [{trigger for trigger in node.triggers if not trigger.startswith("join:")} for node in (one, two)]
        joins = any(trigger.startswith("join:") for trigger in one.triggers)
        if one.triggers and two.triggers and (started[0] != started[1] or (one.triggers != two.triggers and not joins)):
            severity = Severity.BREAK if asks(side.writer, name) or name in side.writer.subgraphs else Severity.RISK
            starts = [listed(node.triggers) for node in (one, two)]
            side.find("START_CHANGED", severity, f"{where}/triggers", *starts, clearable=True, nodes=(name,))
    for name in sorted(side.writer.subgraphs.keys() & side.reader.subgraphs.keys()):
        kept = [node.subgraphs[name].checkpointer for node in (side.writer, side.reader)]
        if kept[0] != kept[1]:
            side.find("START_CHANGED", Severity.BREAK, f"/subgraphs/{name}/checkpointer", *kept, clearable=True)
