"""Rules for where conversations wait: a checkpoint names nodes, joins and the order of questions, not code."""

from __future__ import annotations

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Graph
from rollout.model.agent_state import Severity


def topology(side: Side) -> None:
    """Note where a conversation that waits in the writer's graph would be lost in the reader's."""
    _nodes(side)
    _joins(side)
    _ways(side)
    _starts(side)
    _questions(side)
    _static_interrupts(side)
    _functional(side)
    for name in sorted(side.writer.subgraphs.keys() ^ side.reader.subgraphs.keys()):
        if name in side.writer.nodes and name in side.reader.nodes:
            change = ("a graph", "a node") if name in side.writer.subgraphs else ("a node", "a graph")
            side.find("NODE_BECAME_SUBGRAPH", Severity.BREAK, f"/nodes/{name}", *change)


def _nodes(side: Side) -> None:
    for name in sorted(side.writer.nodes.keys() - side.reader.nodes.keys()):
        if side.is_backward or _asks(side.writer, name):
            code = "NODE_REMOVED" if side.is_backward else "NODE_ADDED"
            side.find(
                code, Severity.BREAK, f"/nodes/{name}", "can be waiting", "is not there", clearable=True, nodes=(name,)
            )
        else:  # it can be waiting too, if it crashed
            change = ("can be waiting after a failure", "is not there")
            side.find("NODE_ADDED", Severity.RISK, f"/nodes/{name}", *change, clearable=True, nodes=(name,))


def _asks(graph: Graph, name: str) -> bool:
    """Whether people are asked at a node, or in the graph inside it, so that conversations wait there for long."""
    inner = graph.subgraphs.get(name)
    if inner is not None and any(_asks(inner, node) for node in inner.nodes):
        return True
    return bool(graph.nodes[name].interrupt_calls) or name in (*graph.interrupt_before, *graph.interrupt_after)


def _joins(side: Side) -> None:
    """A join is kept under a name made of its sources, in order: under another name it is another join."""
    edges = set(side.reader.edges)
    for join in sorted(set(side.writer.joins) - set(side.reader.joins)):
        sources, target = _ends(join)
        covered = all((source, target) in edges for source in sources)
        severity = Severity.BREAK
        if covered and target in side.writer.nodes and not _asks(side.writer, target):
            severity = Severity.RISK  # only who has failed at the target was started by the join
        side.find("JOIN_CHANGED", severity, "/joins", join, "is not there", clearable=True, nodes=(join, target))
    for join in sorted(set(side.reader.joins) - set(side.writer.joins)):
        sources, _ = _ends(join)
        if any(name in side.writer.nodes for name in sources):
            side.find("JOIN_CHANGED", Severity.BREAK, "/joins", "was not counted", join, clearable=True)


def _ends(join: str) -> tuple[list[str], str]:
    sources, _, target = join.removeprefix("join:").rpartition(":")
    return sources.split("+"), target


def _ways(side: Side) -> None:
    """Whoever waits at a node goes on from there: what both versions have must be reached from it in both."""
    ours, theirs = _reached(side.writer), _reached(side.reader)
    shared = side.writer.nodes.keys() & side.reader.nodes.keys()
    for name in sorted(shared):
        before, after = ours[name] & shared, theirs[name] & shared
        if before != after:
            change = (f"leads to {_listed(tuple(sorted(ways)))}" for ways in (before, after))
            severity = Severity.BREAK if _asks(side.writer, name) else Severity.RISK
            side.find("WAY_CHANGED", severity, f"/nodes/{name}", *change, clearable=True, nodes=(name,))
    for name in sorted(side.writer.branches.keys() & side.reader.branches.keys()):
        one, two = side.writer.branches[name], side.reader.branches[name]
        for label in sorted(one.keys() & two.keys()):
            if one[label] != two[label] and {one[label], two[label]} & shared:
                ends = [f"{label} leads to {ways[label]}" for ways in (one, two)]
                side.find("WAY_CHANGED", Severity.BREAK, f"/branches/{name}", *ends, clearable=True)


def _reached(graph: Graph) -> dict[str, frozenset[str]]:
    """Return which nodes can be reached from each."""
    after: dict[str, set[str]] = {name: set() for name in graph.nodes}
    pairs = [*graph.edges, *((name, end) for name, ends in graph.branches.items() for end in ends.values())]
    pairs += [(source, _ends(join)[1]) for join in graph.joins for source in _ends(join)[0]]
    for one, two in pairs:
        after.setdefault(one, set()).add(two)
    reached = {}
    for name in graph.nodes:
        seen, pending = set[str](), [name]
        while pending:
            for follower in after.get(pending.pop(), ()):
                if follower not in seen:
                    seen.add(follower)
                    pending.append(follower)
        reached[name] = frozenset(seen)
    return reached


def _starts(side: Side) -> None:
    """What starts a node is part of what a task is known by: under another one it begins anew, and answers are lost."""
    for name in sorted(side.writer.nodes.keys() & side.reader.nodes.keys()):
        one, two = side.writer.nodes[name], side.reader.nodes[name]
        where = f"/nodes/{name}"
        if one.defer != two.defer:
            defers = ["deferred" if node.defer else "not deferred" for node in (one, two)]
            side.find("START_CHANGED", Severity.BREAK, f"{where}/defer", *defers, clearable=True)
        if one.triggers and two.triggers and one.triggers != two.triggers:
            severity = Severity.BREAK if _asks(side.writer, name) or name in side.writer.subgraphs else Severity.RISK
            starts = [_listed(node.triggers) for node in (one, two)]
            side.find("START_CHANGED", severity, f"{where}/triggers", *starts, clearable=True, nodes=(name,))
    for name in sorted(side.writer.subgraphs.keys() & side.reader.subgraphs.keys()):
        kept = [node.subgraphs[name].checkpointer for node in (side.writer, side.reader)]
        if kept[0] != kept[1]:
            side.find("START_CHANGED", Severity.BREAK, f"/subgraphs/{name}/checkpointer", *kept, clearable=True)


def _questions(side: Side) -> None:
    """Answers are handed to the questions of a node in order, from the first."""
    for name in sorted(side.writer.nodes.keys() & side.reader.nodes.keys()):
        one, two = side.writer.nodes[name], side.reader.nodes[name]
        asked, asks = one.interrupt_calls, two.interrupt_calls
        where = f"/nodes/{name}/interruptCalls"
        if one.digest is not None and one.digest == two.digest:
            continue
        if asked is None or asks is None:
            change = ("cannot be told" if calls is None else _listed(calls) for calls in (asked, asks))
            side.find("INTERRUPT_UNKNOWN", Severity.UNKNOWN, where, *change)
        elif asked and asks[: len(asked)] != asked:
            reworded = _is_reworded(asked, asks)
            severity = Severity.RISK if reworded else Severity.BREAK
            code = "TASK_ORDER" if any(call.startswith("task ") for call in asked) else "INTERRUPT_ORDER"
            side.find(code, severity, where, _listed(asked), _listed(asks), nodes=(name,))
        elif (asked and None not in (one.digest, two.digest)) or one.may_ask or two.may_ask:
            # Whoever waits there runs the other code from its start, and only that decides what becomes of the answer.
            side.find(
                "QUESTION_CHANGED", Severity.UNKNOWN, where, "one source", "another", clearable=True, nodes=(name,)
            )


def _is_reworded(asked: tuple[str, ...], asks: tuple[str, ...]) -> bool:
    """Whether as many questions stand in the same places, some in other words: plain texts, none of them moved."""
    pairs = [(before, after) for before, after in zip(asked, asks, strict=False) if before != after]
    plain = all(text[:1] in ("'", '"') for pair in pairs for text in pair)
    return plain and len(asks) == len(asked) and not {after for _, after in pairs} & set(asked)


def _listed(calls: tuple[str, ...]) -> str:
    return ", ".join(calls) or "nothing"


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
    if one.digest is not None and one.digest == two.digest:
        return
    if one.tasks is not None and two.tasks is not None and two.tasks[: len(one.tasks)] != one.tasks:
        side.find("TASK_ORDER", Severity.BREAK, "/functional/tasks", _listed(one.tasks), _listed(two.tasks))
    side.find("INTERRUPT_UNKNOWN", Severity.UNKNOWN, "/functional/digest", "one source", "another")
