"""Where conversations can be waiting for long: nodes that ask people, or stop before or after they run."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.contracts.contract import Graph


def asks(graph: Graph, name: str) -> bool:
    """Whether people are asked at a node, by its tools or in a graph inside it, so that conversations wait there."""
    node = graph.nodes[name]
    if any(asks_anywhere(inner) for inner in graph.inside(name)):
        return True
    by_tools = any(tool.interrupt_calls for tool in node.tools.values())
    return bool(node.interrupt_calls or node.approvals or by_tools) or stops(graph, name)


def asks_anywhere(graph: Graph) -> bool:
    """Whether people are asked anywhere in a graph."""
    return any(asks(graph, name) for name in graph.nodes)


def stops(graph: Graph, name: str) -> bool:
    """Whether a graph stops before or after a node, whatever the node does."""
    return name in (*graph.interrupt_before, *graph.interrupt_after)


def ways_out(graph: Graph) -> dict[str, set[str]]:
    """Return where each node may lead at once."""
    after: dict[str, set[str]] = {name: set() for name in graph.nodes}
    pairs = [*graph.edges, *((name, end) for name, ends in graph.branches.items() for end in ends.values())]
    pairs += [(source, ends_of(join)[1]) for join in graph.joins for source in ends_of(join)[0]]
    for one, two in pairs:
        after.setdefault(one, set()).add(two)
    return after


def reached(graph: Graph, name: str) -> set[str]:
    """Return which nodes can be reached from one."""
    after = ways_out(graph)
    seen, pending = set[str](), [name]
    while pending:
        for follower in after.get(pending.pop(), ()):
            if follower not in seen:
                seen.add(follower)
                pending.append(follower)
    return seen


def ends_of(join: str) -> tuple[list[str], str]:
    """Return the sources of a join, in order, and its target."""
    sources, _, target = join.removeprefix("join:").rpartition(":")
    return sources.split("+"), target


def listed(names: Iterable[str]) -> str:
    """Return names as a person reads them."""
    return ", ".join(names) or "nothing"
