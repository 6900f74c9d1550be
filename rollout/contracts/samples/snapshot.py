"""One conversation's last checkpoint, and a survey of many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout.contracts.samples.decode import OPAQUE, Decoded, Undecodable, decode

BRANCH, JOIN, SENDS = "branch:to:", "join:", "__pregel_tasks"

START = "__start__"
"""Where a function that is replayed waits: it has no nodes."""

WAITING_MAX = 1000
"""Of so many waiting conversations the values are looked at too; all are counted."""

ROWS_MAX = 50_000
"""So many conversations are counted at most; beyond that a survey is not complete."""


@dataclass(frozen=True)
class Limits:
    """How much of a store is looked at.

    Attributes:
        newest: of so many conversations the values are looked at.
        time_s: for everything.
    """

    newest: int = 200
    time_s: float = 5.0


@dataclass(frozen=True)
class Snapshot:
    """One stored conversation, as far as it must be read.

    Attributes:
        thread: a hash, never the id.
        graph: the nodes that lead to the graph in which it is.
        version: who wrote it, where the agent says so.
        waiting: the nodes it waits at.
        joins: half-full ones.
        sends: nodes to be started.
        to_come: values that were written and are yet to be applied.
    """

    thread: str
    graph: tuple[str, ...] = ()
    version: str | None = None
    waiting: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    values: Mapping[str, Decoded] = field(default_factory=dict)
    to_come: tuple[tuple[str, Decoded], ...] = ()
    undecodable: str = ""

    @property
    def is_waiting(self) -> bool:
        return bool(self.waiting or self.joins or self.sends)


@dataclass(frozen=True)
class Survey:
    """What was seen of a store.

    Attributes:
        complete: whether every conversation was counted.
        problem: why nothing was seen.
    """

    snapshots: tuple[Snapshot, ...] = ()
    threads: int = 0
    complete: bool = False
    problem: str = ""


def hashed(thread: str) -> str:
    """Return what stands for a conversation in everything we write."""
    return hashlib.sha256(thread.encode()).hexdigest()[:12]


def graph_of(namespace: str) -> tuple[str, ...]:
    """Return the nodes that a checkpoint's namespace names: `host:task|inner:task`; a second graph has a number."""
    names: list[str] = []
    for part in namespace.split("|"):
        name = part.partition(":")[0]
        if name.isdigit() and names:
            names[-1] += f"#{name}"
        elif name:
            names.append(name)
    return tuple(names)


@dataclass(frozen=True)
class Pending:
    """What tasks have written that did not end together with the others: it is applied when they go on.

    Attributes:
        channels: what was written, by channel.
        asks: whether somebody is asked, or something has failed.
    """

    channels: tuple[tuple[str, Decoded], ...] = ()
    asks: bool = False


NOTHING = Pending()


def snapshot(
    thread: str,
    namespace: str,
    values: Mapping[str, Decoded],
    version: str | None,
    problem: str = "",
    pending: Pending = NOTHING,
) -> Snapshot:
    """Make a snapshot of the channels of one checkpoint, and of what is still to be applied to it."""
    sends = values[SENDS].value if SENDS in values else None
    writes = [name for name, _ in pending.channels]
    to_come = [decoded.value for name, decoded in pending.channels if name == SENDS]
    named = (*values, *writes)
    joins = {name for name, decoded in values.items() if name.startswith(JOIN) and decoded.value}
    joins |= {name for name in writes if name.startswith(JOIN)}
    started = [START] if pending.asks and not any(name.startswith(BRANCH) for name in values) else []
    return Snapshot(
        thread=hashed(thread),
        graph=graph_of(namespace),
        version=version,
        waiting=tuple(sorted({*started, *(name.removeprefix(BRANCH) for name in named if name.startswith(BRANCH))})),
        joins=tuple(sorted(joins)),
        sends=tuple(_sent([*(sends if isinstance(sends, list) else []), *to_come])),
        values={name: decoded for name, decoded in values.items() if not _is_internal(name)},
        to_come=tuple((name, decoded) for name, decoded in pending.channels if not _is_internal(name)),
        undecodable=problem,
    )


ASKING = ("__interrupt__", "__error__")


def pending_of(rows: Iterable[tuple[str, str, bytes | None]]) -> Pending:
    """Return what stored writes say: channel, kind, value. What cannot be decoded is known by its channel."""
    pending: list[tuple[str, Decoded]] = []
    asks = False
    for channel, kind, blob in rows:
        asks = asks or channel in ASKING
        if channel.startswith("__") and channel != SENDS:
            continue
        try:
            pending.append((channel, decode(kind, bytes(blob) if blob is not None else None)))
        except Undecodable:
            pending.append((channel, Decoded(OPAQUE)))
    return Pending(tuple(pending), asks)


def _is_internal(name: str) -> bool:
    return name.startswith((BRANCH, JOIN, "__"))


def _sent(sends: Any) -> Iterable[str]:
    for send in sends if isinstance(sends, list) else ():
        if isinstance(send, dict) and isinstance(send.get("node"), str):
            yield send["node"]
