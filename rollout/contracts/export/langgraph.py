"""A compiled LangGraph graph as a contract. It is only looked at: nothing of it is called.

Source: langgraph 1.2, `CompiledStateGraph` (channels, nodes, builder, interrupts, subgraphs).
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rollout.contracts.export.models import bare, hints_of, kind_of, required_of, schema_of
from rollout.contracts.export.source import calls_of

LIBRARIES = ("langgraph", "langgraph-checkpoint", "langchain-core", "pydantic")
_INTERNAL = ("__", "branch:", "join:")


def is_graph(target: Any) -> bool:
    """Whether a target is a compiled graph, or an entrypoint."""
    return hasattr(target, "channels") and hasattr(target, "nodes") and hasattr(target, "get_subgraphs")


def graph_contract(compiled: Any) -> dict[str, Any]:
    """Return everything of a contract that a graph tells."""
    classes: dict[str, str] = {}
    return {
        **_graph(compiled, classes),
        "framework": {"name": "langgraph", "libs": _libraries()},
        "store": _store(compiled.checkpointer),
        "classes": {path: {"kind": kind} for path, kind in sorted(classes.items())},
    }


def _graph(compiled: Any, classes: dict[str, str]) -> dict[str, Any]:
    builder = getattr(compiled, "builder", None)
    if builder is None:
        return _functional(compiled, classes)
    state = builder.state_schema
    kinds = {name: channel for name, channel in compiled.channels.items() if not name.startswith(_INTERNAL)}
    public = builder.schemas.get(state, {})
    every = {name: hint for schema in builder.schemas for name, hint in hints_of(schema).items()} | hints_of(state)
    hints = {name: bare(hint) for name, hint in every.items()}
    private = {name: hint for name, hint in hints.items() if name in kinds and name not in public}
    channels = {}
    for name, channel in sorted(kinds.items()):
        own = schema_of(hints[name], "serialization")[1] if name in hints else {}
        classes |= own
        channels[name] = {
            "kind": type(channel).__name__,
            "reducer": _named(getattr(channel, "operator", getattr(channel, "reducer", None))),
            "private": name in private,
            "classes": sorted(own),
        }
    return {
        "state": _state(state, private),
        "channels": channels,
        "nodes": {name: {"interruptCalls": _questions(node)} for name, node in sorted(builder.nodes.items())},
        "edges": sorted([list(edge) for edge in builder.edges]),
        "joins": sorted(name for name in compiled.channels if name.startswith("join:")),
        "interruptBefore": _stops(compiled.interrupt_before_nodes, builder.nodes),
        "interruptAfter": _stops(compiled.interrupt_after_nodes, builder.nodes),
        "subgraphs": {name: _graph(inner, classes) for name, inner in compiled.get_subgraphs()},
    }


def _state(state: Any, private: dict[str, Any]) -> dict[str, Any]:
    """Return the shape of everything that is kept: the state, and the private keys of single nodes."""
    told: dict[str, Any] = {"kind": kind_of(state)}
    for role, mode in (("writer", "serialization"), ("reader", "validation")):
        schema, _ = schema_of(state, mode)  # type: ignore[arg-type]
        if mode == "serialization":
            schema["required"] = sorted(required_of(state) & schema.get("properties", {}).keys())
        for name, hint in sorted(private.items()):
            own, _ = schema_of(hint, mode)  # type: ignore[arg-type]
            schema.setdefault("$defs", {}).update(own.pop("$defs", {}))
            schema.setdefault("properties", {})[name] = own
        told[role] = schema
    return told


def _named(function: Any) -> str | None:
    if function is None:
        return None
    module = str(getattr(function, "__module__", "")).lstrip("_")
    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _questions(node: Any) -> list[str] | None:
    runnable = node.runnable
    if hasattr(runnable, "get_subgraphs"):
        return []
    function = getattr(runnable, "func", None) or getattr(runnable, "afunc", None)
    found = calls_of(function, lambda name, _: name.rpartition(".")[2] == "interrupt")
    return None if found is None else list(found)


def _stops(names: Any, nodes: Any) -> list[str]:
    return sorted(nodes) if names == "*" else sorted(names)


def _functional(compiled: Any, classes: dict[str, str]) -> dict[str, Any]:
    """Return what an entrypoint tells: the calls that are replayed, in order."""
    name = next(iter(compiled.nodes))
    bound = compiled.nodes[name].bound
    function = getattr(bound, "func", None) or getattr(bound, "afunc", None)

    def is_replayed(called: str, known: Any) -> bool:
        return called.rpartition(".")[2] == "interrupt" or type(known).__name__ in ("_TaskFunction", "TaskFunction")

    found = calls_of(function, is_replayed)
    del classes
    return {"functional": {"entrypoint": name, "tasks": None if found is None else list(found)}}


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _store(checkpointer: Any) -> dict[str, Any]:
    name = type(checkpointer).__name__.lower()
    kind = next((each for each in ("postgres", "redis", "sqlite", "memory") if each in name), "other")
    strict = os.environ.get("LANGGRAPH_STRICT_MSGPACK", "").lower() in ("1", "true", "yes")
    return {"kind": kind, "strictMsgpack": strict}
