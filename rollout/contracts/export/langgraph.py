"""A compiled LangGraph graph as a contract. It is only looked at: nothing of it is called.

Source: langgraph 1.2, `CompiledStateGraph` (channels, nodes, builder, interrupts, subgraphs).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rollout.contracts.export.classes import Gathered, checks_of, class_contract, features_of, own_classes
from rollout.contracts.export.code.members import classes_with_members, is_reached
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.reading import SourceReading
from rollout.contracts.export.code.seeds import with_store
from rollout.contracts.export.code.source import reading_of
from rollout.contracts.export.code.values import path_of
from rollout.contracts.export.hints import bare, factories_of, hints_of, kind_of, required_of
from rollout.contracts.export.models import schema_of
from rollout.contracts.export.tools import tool_contract

LIBRARIES = (
    "langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite", "langgraph-checkpoint-postgres",
    "langgraph-checkpoint-redis", "langchain", "langchain-core", "deepagents", "pydantic",
)  # fmt: skip
_INTERNAL = ("__", "branch:", "join:")
ROOT = "__root__"
_POLICIES = ("retry_policy", "cache_policy")
"""What decides whether a node runs, or runs again."""


def graph_contract(compiled: Any) -> dict[str, Any]:
    """Return everything of a contract that a graph tells."""
    gathered = Gathered()
    graph = _graph(compiled, gathered)
    return {
        **graph,
        "framework": {"name": "langgraph", "libs": dict(_libraries())},
        "store": {**_store(compiled.checkpointer), "memory": _memory(compiled)},
        "classes": {
            **own_classes(gathered),
            **{path: class_contract(*class_) for path, class_ in sorted(gathered.annotated.items())},
        },
    }


def _graph(compiled: Any, gathered: Gathered) -> dict[str, Any]:
    builder = getattr(compiled, "builder", None)
    if builder is None:
        return _functional(compiled, gathered)
    state = builder.state_schema
    channels = {
        name: channel
        for name, channel in compiled.channels.items()
        if name not in builder.managed and (name == ROOT or not name.startswith(_INTERNAL))
    }
    public = builder.schemas.get(state, {})
    every = {name: hint for schema in builder.schemas for name, hint in hints_of(schema).items()} | hints_of(state)
    hints = {name: bare(hint) for name, hint in every.items()} | ({ROOT: state} if ROOT in channels else {})
    private = {name: hint for name, hint in hints.items() if name in channels and name not in public and name != ROOT}
    readings = {name: _reading(name, node, compiled) for name, node in builder.nodes.items()}
    gathered.add(state, *readings.values())
    return {
        "state": _state(state, private, builder.managed),
        "channels": {
            name: _channel(channel, hints.get(name), name in private, gathered) for name, channel in channels.items()
        },
        "nodes": {name: _node(name, node, compiled, readings[name]) for name, node in sorted(builder.nodes.items())},
        "edges": sorted([list(edge) for edge in builder.edges]),
        "branches": _branches(builder),
        "joins": sorted(name for name in compiled.channels if name.startswith("join:")),
        "interruptBefore": _stops(compiled.interrupt_before_nodes, builder.nodes),
        "interruptAfter": _stops(compiled.interrupt_after_nodes, builder.nodes),
        "subgraphs": {name: _graph(inner, gathered) for name, inner in _subgraphs(compiled, readings)},
        "checkpointer": _inherits(compiled.checkpointer),
    }


def _channel(channel: Any, hint: Any, private: bool, gathered: Gathered) -> dict[str, Any]:
    own = schema_of(hint, "serialization", for_store=True)[1] if hint is not None else {}
    gathered.annotated |= own
    reducer = getattr(channel, "operator", getattr(channel, "reducer", None))
    accumulates = getattr(channel, "accumulate", None)
    return {
        "kind": type(channel).__name__ + ("" if accumulates is None else f"(accumulate={accumulates})"),
        "reducer": _named(reducer),
        "reducerDigest": None if reducer is None else reading_of(reducer).digest,
        "private": private,
        "digest": reading_of(type(channel)).digest if is_ours(type(channel)) else None,
        "classes": sorted(own),
    }


def _state(state: Any, private: dict[str, Any], managed: Collection[str]) -> dict[str, Any]:
    """Return the shape of everything that is kept: the state, and the private keys of single nodes.

    Args:
        managed: keys that LangGraph fills in anew each time.
    """
    described: dict[str, Any] = {"kind": kind_of(state), "checks": checks_of(state), **features_of(state)}
    described["factories"] = {name: reading_of(make).digest for name, make in sorted(factories_of(state).items())}
    for role, mode in (("writer", "serialization"), ("reader", "validation")):
        schema, _ = schema_of(state, mode, for_store=True)  # type: ignore[arg-type]
        if role == "writer" and "properties" in schema:
            schema["required"] = sorted(required_of(state) & schema["properties"].keys())
        for name, hint in sorted(private.items()):
            own, _ = schema_of(hint, mode, for_store=True)  # type: ignore[arg-type]
            schema.setdefault("$defs", {}).update(own.pop("$defs", {}))
            schema.setdefault("properties", {})[name] = own
        if managed:
            properties = {name: part for name, part in schema.get("properties", {}).items() if name not in managed}
            schema |= {"properties": properties, "required": sorted(set(schema.get("required", ())) - set(managed))}
        described[role] = schema
    return described


def _named(function: Any) -> str | None:
    if function is None:
        return None
    module = str(getattr(function, "__module__", "")).lstrip("_")
    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _reading(name: str, node: Any, compiled: Any) -> SourceReading:
    """Read what is behind a node, and what decides where it goes on."""
    routes = [branch.path for branch in compiled.builder.branches.get(name, {}).values()]
    states = {getattr(node, "input_schema", None), compiled.builder.state_schema}
    own = sorted(classes_with_members(states), key=path_of)
    policies = {name: policy for name in _POLICIES if (policy := getattr(node, name, None))}
    settings = {**_configurable(compiled), **policies}
    keyed = getattr(policies.get("cache_policy"), "key_func", None)
    reading = reading_of(node.runnable, *routes, keyed, settings=settings, state=own)
    return with_store(reading, getattr(compiled, "store", None))


_ASKING_MODELS = frozenset({"invoke", "ainvoke", "stream", "astream", "create", "generate", "complete", "chat"})


def _configurable(compiled: Any) -> dict[str, Any]:
    """Return what a graph is bound to hand on to its nodes, by `with_config`."""
    config = getattr(compiled, "config", None)
    settings = config if isinstance(config, dict) else {}
    return {name: settings[name] for name in ("configurable", "metadata", "tags") if settings.get(name)}


def _node(name: str, node: Any, compiled: Any, reading: SourceReading) -> dict[str, Any]:
    own = getattr(node, "input_schema", None)
    is_part = own is not None and own is not compiled.builder.state_schema and kind_of(own) != "other"
    return {
        "interruptCalls": reading.calls if reading.is_whole or reading.calls else None,
        "mayAsk": reading.may_ask,
        "digest": reading.digest,
        "approvals": reading.approvals,
        "tools": {
            name: tool_contract(tool, reading.tool_readings[name]) for name, tool in sorted(reading.tools.items())
        },
        "routesAnywhere": any(branch.ends is None for branch in compiled.builder.branches.get(name, {}).values()),
        "triggers": sorted(getattr(compiled.nodes.get(name), "triggers", ())),
        "defer": bool(getattr(node, "defer", False)),
        "jumps": reading.digest if reading.can_jump else None,
        "wraps": reading.wraps,
        "decides": _decides(name, node, compiled, reading),
        "reads": _keys_named(compiled, reading),
        "parts": dict(sorted(reading.parts.items())) if reading.calls or reading.may_ask else {},
        "input": _state(own, {}, compiled.builder.managed) if is_part else None,
    }


def _decides(name: str, node: Any, compiled: Any, reading: SourceReading) -> str | None:
    """Return a digest of what decides where a node that asks nobody leads to; None where a model may decide it."""
    routes = [branch.path for branch in compiled.builder.branches.get(name, {}).values()]
    if reading.calls or reading.may_ask or not (routes or getattr(node, "ends", None)):
        return None
    deciding = reading_of(*routes) if routes else reading
    return None if deciding.named & _ASKING_MODELS else deciding.digest


def _keys_named(compiled: Any, reading: SourceReading) -> list[str]:
    """Return the keys of the state that a node that asks may go by."""
    if not (reading.calls or reading.may_ask):
        return []
    return sorted(name for name in compiled.builder.channels if is_reached(name, reading.named | reading.literals))


def _branches(builder: Any) -> dict[str, dict[str, str]]:
    """Return where conditions and commands of each node may lead, by their labels."""
    ends_by_node: dict[str, dict[str, str]] = {}
    for source, branches in builder.branches.items():
        for branch in branches.values():
            ends_by_node.setdefault(source, {}).update({str(k): str(v) for k, v in (branch.ends or {}).items()})
    for name, node in builder.nodes.items():
        ends = getattr(node, "ends", None) or ()
        named = ends.items() if isinstance(ends, dict) else ((end, end) for end in ends)
        for end, label in named:
            ends_by_node.setdefault(name, {})[str(label)] = str(end)
    return ends_by_node


def _subgraphs(compiled: Any, readings: dict[str, SourceReading]) -> list[tuple[str, Any]]:
    """Return every graph inside, by its host; a second one in the same host has a number."""
    subgraphs = list(compiled.get_subgraphs())
    known = {id(inner) for _, inner in subgraphs}
    for host, reading in readings.items():
        others = [graph for graph in reading.graphs if id(graph) not in known]
        named = [graph for graph in others if _own_name(graph)]
        rest = [graph for graph in others if not _own_name(graph)]
        first = [] if any(name == host for name, _ in subgraphs) else rest[:1]
        subgraphs += [(host, graph) for graph in first]
        subgraphs += [(f"{host}#{number}", graph) for number, graph in enumerate(rest[len(first) :], 1)]
        subgraphs += [(f"{host}#{_own_name(graph)}", graph) for graph in named]
    return subgraphs


def _own_name(graph: Any) -> str:
    """Return the name that a graph was given; LangGraph calls all others the same."""
    name = str(getattr(graph, "name", "") or "")
    return "" if name == "LangGraph" else name


def _stops(names: Any, nodes: Any) -> list[str]:
    return sorted(nodes) if names == "*" else sorted(names)


def _inherits(checkpointer: Any) -> str:
    return str(checkpointer) if checkpointer in (None, True, False) else "own"


def _functional(compiled: Any, gathered: Gathered) -> dict[str, Any]:
    """Return what an entrypoint tells: the calls that are replayed, in order, and the graphs that it calls."""
    name = next(iter(compiled.nodes))
    reading = reading_of(compiled.nodes[name].bound, settings=_configurable(compiled))
    reading = with_store(reading, getattr(compiled, "store", None))
    gathered.add(None, reading)
    inner = {f"{name}#{number}" if number else name: graph for number, graph in enumerate(reading.graphs)}
    return {
        "functional": {
            "entrypoint": name,
            "tasks": reading.calls if reading.is_whole or reading.calls else None,
            "digest": reading.digest,
            "parts": dict(sorted(reading.parts.items())),
        },
        "subgraphs": {host: _graph(graph, gathered) for host, graph in inner.items()},
    }


@functools.cache
def _libraries() -> Mapping[str, str]:
    """Return the versions of the libraries that write, or read, what is kept."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _store(checkpointer: Any) -> dict[str, Any]:
    class_name = type(checkpointer).__name__.lower()
    kind = next((name for name in ("postgres", "redis", "sqlite", "memory") if name in class_name), "other")
    serde = getattr(checkpointer, "serde", None)
    allowed = getattr(serde, "_allowed_msgpack_modules", None if _is_strict() else True)
    return {
        "kind": kind,
        "strictMsgpack": allowed is not True,
        "allowed": sorted(".".join(map(str, path)) for path in allowed) if isinstance(allowed, set | frozenset) else [],
        "serde": "" if serde is None else type(serde).__name__,
        "pickles": bool(getattr(serde, "pickle_fallback", False)),
    }


def _is_strict() -> bool:
    """Whether LangGraph, as it was loaded here, makes only declared classes again: LANGGRAPH_STRICT_MSGPACK."""
    return bool(getattr(sys.modules.get("langgraph.checkpoint.serde._msgpack"), "STRICT_MSGPACK_ENABLED", False))


def _memory(compiled: Any) -> str:
    """Return the class of the store for what outlives a conversation."""
    store = getattr(compiled, "store", None)
    return "" if store is None else type(store).__name__.removeprefix("Async")
