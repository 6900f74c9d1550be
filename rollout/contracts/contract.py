"""The contract document: what a version writes, what it reads, and where its conversations can be waiting.

One per version, never changed, known by the digest of its canonical text. A bare JSON Schema is a contract too, of
which only the shape of the state is known.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, Field

from rollout.model.api.policy import digest
from rollout.model.base import Document as Written

VERSION = 1
UNKNOWN_FRAMEWORK = "unknown"

StateKind = Literal["pydantic", "dataclass", "typeddict", "other"]


class Loose(Written):
    """A part of a contract. Unknown fields are passed over: a newer exporter may say more."""

    model_config = ConfigDict(extra="ignore", str_max_length=None)


class State(Loose):
    """The shape of the state: as it is written, and as it is read.

    Attributes:
        checks: a digest of the code that is run when it is made.
        unseen: what JSON Schema does not show of each field.
        extra: what becomes of what it does not declare: allow, ignore, or forbid.
        factories: by field, a digest of the function that makes its default.
    """

    kind: StateKind = "other"
    checks: str | None = None
    unseen: dict[str, str] = Field(default_factory=dict)
    extra: str = ""
    factories: dict[str, str] = Field(default_factory=dict)
    writer: dict[str, Any] | bool = True
    reader: dict[str, Any] | bool = True


class Channel(Loose):
    """How one key of the state is kept.

    Attributes:
        classes: paths of the classes that its values are made of.
        digest: of a channel of the agent's own, which keeps its values in a form of its own.
        reducer_digest: of the reducer's source, since its name says nothing of what it does.
    """

    kind: str = "LastValue"
    reducer: str | None = None
    reducer_digest: str | None = None
    private: bool = False
    digest: str | None = None
    classes: tuple[str, ...] = ()


class Tool(Loose):
    """A tool that a model calls: a call that waits was made by its name, in the form of its arguments.

    Attributes:
        arguments: the JSON Schema of what a model writes.
        unseen: what JSON Schema does not show of them.
        defaults: the arguments that may be left out, each with a digest of its default.
        return_direct: whether the run ends with what it returns.
    """

    arguments: dict[str, Any] | bool = True
    unseen: dict[str, str] = Field(default_factory=dict)
    defaults: dict[str, str] = Field(default_factory=dict)
    interrupt_calls: tuple[str, ...] | None = None
    may_ask: bool = False
    digest: str | None = None
    return_direct: bool = False


class Approval(Loose):
    """What a human is asked for before a tool runs.

    Attributes:
        decisions: those that are taken.
        when: a digest of what decides whether anybody is asked; None where everybody is.
    """

    decisions: tuple[str, ...] = ()
    when: str | None = None

    def __str__(self) -> str:
        return f"asked for {', '.join(self.decisions)}" + ("" if self.when is None else " where a condition holds")


class Node(Loose):
    """A node of a graph, as far as conversations that wait at it depend on it.

    Attributes:
        interrupt_calls: what a node asks people and which tasks it calls, in order; None where that cannot be told.
        may_ask: whether it may ask something that is not among them.
        digest: of the source behind it; equal digests ask the same.
        approvals: the tools that a human is asked about here before they run.
        tools: those that are called here, by name.
        routes_anywhere: whether it does not declare where it may go on.
        triggers: the channels that start it, which are part of a task's identity.
        jumps: a digest of what a middleware's hook goes by that may end the run there; None where none may.
        wraps: a digest of what is done around the calls of tools there; None where nothing is.
        decides: a digest of what decides where it goes on, where it asks nobody; None where a model may decide it.
        reads: the keys of the state that it may go by, where it asks.
        parts: functions, constants and files that it is made of, where it asks, each with a digest: for people.
        input: what it reads of the state, where that is less than all of it.
    """

    interrupt_calls: tuple[str, ...] | None = None
    may_ask: bool = False
    digest: str | None = None
    approvals: dict[str, Approval] = Field(default_factory=dict)
    tools: dict[str, Tool] = Field(default_factory=dict)
    routes_anywhere: bool = False
    triggers: tuple[str, ...] = ()
    defer: bool = False
    jumps: str | None = None
    wraps: str | None = None
    decides: str | None = None
    reads: tuple[str, ...] = ()
    parts: dict[str, str] = Field(default_factory=dict)
    input: State | None = None


class Functional(Loose):
    """An entrypoint of the functional API: replayed by the order of its calls.

    Attributes:
        digest: of its source and its tasks'.
        parts: what it is made of, for people, as of a node.
    """

    entrypoint: str
    tasks: tuple[str, ...] | None = None
    digest: str | None = None
    parts: dict[str, str] = Field(default_factory=dict)


class Graph(Loose):
    """A graph: its state, its channels, where conversations can wait in it, and the graphs inside."""

    state: State = State()
    channels: dict[str, Channel] = Field(default_factory=dict)
    nodes: dict[str, Node] = Field(default_factory=dict)
    edges: tuple[tuple[str, str], ...] = ()
    branches: dict[str, dict[str, str]] = Field(default_factory=dict)
    checkpointer: str = ""
    joins: tuple[str, ...] = ()
    interrupt_before: tuple[str, ...] = ()
    interrupt_after: tuple[str, ...] = ()
    subgraphs: dict[str, Graph] = Field(default_factory=dict)
    functional: Functional | None = None

    def inside(self, host: str) -> tuple[Graph, ...]:
        """Return the graphs inside a node: of several each has a name of its own behind the node's."""
        return tuple(graph for name, graph in self.subgraphs.items() if name.partition("#")[0] == host)


class Framework(Loose):
    """What runs the agent.

    Attributes:
        name: langgraph, none (plain state without a graph), unknown (of a bare schema), or another.
        libs: versions.
    """

    name: str = "none"
    libs: dict[str, str] = Field(default_factory=dict)


class Migrator(Loose):
    """What migrates checkpoints.

    Attributes:
        write_back: whether merely reading one rewrites it.
    """

    name: str
    head: str = ""
    write_back: bool = False


class Store(Loose):
    """Where checkpoints are kept, and in which form.

    Attributes:
        strict_msgpack: whether only declared classes are made again, and those that are `allowed`.
        serde: the class of the serializer.
        pickles: whether it pickles what it knows nothing of.
        memory: the class of the store for what outlives a conversation.
    """

    kind: str = "other"
    strict_msgpack: bool | None = None
    allowed: tuple[str, ...] = ()
    serde: str = ""
    pickles: bool = False
    memory: str = ""
    migrator: Migrator | None = None


class Class(Loose):
    """A class that stored values are made of.

    Attributes:
        checks: a digest of the code that is run when an object of it is made, or taken apart.
        unseen: what JSON Schema does not show of each field, and, under "", of the class itself.
        extra: what becomes of what it does not declare: allow, ignore, or forbid.
        members: the values of an enum, by name.
        bases: the classes it comes from.
        is_made: whether the code may make objects of it.
        alias: the path that is stored, where it is found under another one too.
        writer, reader: its form, of a class that is found in a module; others stand in the state's schema.
    """

    kind: Literal["pydantic", "dataclass", "enum", "namedtuple", "other"] = "other"
    checks: str | None = None
    unseen: dict[str, str] = Field(default_factory=dict)
    extra: str = ""
    members: dict[str, str] = Field(default_factory=dict)
    bases: tuple[str, ...] = ()
    is_made: bool = True
    alias: str | None = None
    writer: dict[str, Any] | bool | None = None
    reader: dict[str, Any] | bool | None = None


class Source(Loose):
    """Which code a contract is of. It is no part of what the contract says.

    Attributes:
        root: the folder that it was imported from.
        commit: what was checked out there; `changed` if files differed from it.
    """

    root: str = ""
    commit: str = ""
    changed: bool = False


AnyGraph = TypeVar("AnyGraph", bound=Graph)


class Contract(Graph):
    """Everything that one version promises about its state."""

    contract_version: Literal[1]
    agent: str = ""
    version: str = ""
    framework: Framework = Framework()
    writes_version: str | None = None
    reads_versions: tuple[str, ...] = ()
    store: Store = Store()
    source: Source | None = None
    classes: dict[str, Class] = Field(default_factory=dict)

    @property
    def is_bare(self) -> bool:
        """Whether it is but a JSON Schema: nothing is known of nodes, reducers and the like."""
        return self.framework.name == UNKNOWN_FRAMEWORK

    def canonical(self) -> str:
        """Return the one text that stands for this contract."""
        plain = self.model_dump(by_alias=True)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), default=float)

    def unversioned(self) -> Contract:
        """Return the contract without whose it is: two versions with the same one are compatible."""
        return self.model_copy(update={"agent": "", "version": "", "source": None})

    @property
    def digest(self) -> str:
        """The digest of everything that it says; names of functions, and where they lie, are no part of that."""
        return digest(_without_parts(self.model_copy(update={"source": None})).canonical())


def _without_parts(graph: AnyGraph) -> AnyGraph:
    """Return a graph without what only tells people what differs."""
    functional = graph.functional
    changes: dict[str, Any] = {
        "nodes": {name: node.model_copy(update={"parts": {}}) for name, node in graph.nodes.items()},
        "subgraphs": {name: _without_parts(inner) for name, inner in graph.subgraphs.items()},
        "functional": None if functional is None else functional.model_copy(update={"parts": {}}),
    }
    return graph.model_copy(update=changes)
