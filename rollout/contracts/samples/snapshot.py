"""One conversation's last checkpoint, and a survey of many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout.contracts.samples.decode import Decoded

BRANCH, JOIN, SENDS = "branch:to:", "join:", "__pregel_tasks"

WAITING_MAX = 1000
"""Of so many waiting conversations the values are looked at too; all are counted."""

ROWS_MAX = 50_000
"""So many conversations are counted at most; beyond that a survey is not complete."""


@dataclass(frozen=True)
class Limits:
    """newest: of so many conversations the values are looked at. time_s: for everything."""

    newest: int = 200
    time_s: float = 5.0


@dataclass(frozen=True)
class Snapshot:
    """thread: a hash, never the id. graph: the nodes that lead to the graph in which it is. version: who wrote it,
    where the agent says so. waiting: the nodes it waits at; joins: half-full ones; sends: nodes to be started.
    """

    thread: str
    graph: tuple[str, ...] = ()
    version: str | None = None
    waiting: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    values: Mapping[str, Decoded] = field(default_factory=dict)
    undecodable: str = ""

    @property
    def is_waiting(self) -> bool:
        return bool(self.waiting or self.joins or self.sends)


@dataclass(frozen=True)
class Survey:
    """What was seen of a store. complete: whether every conversation was counted. problem: why nothing was seen."""

    snapshots: tuple[Snapshot, ...] = ()
    threads: int = 0
    complete: bool = False
    problem: str = ""


def hashed(thread: str) -> str:
    """Return what stands for a conversation in everything we write."""
    return hashlib.sha256(thread.encode()).hexdigest()[:12]


def graph_of(namespace: str) -> tuple[str, ...]:
    """Return the nodes that a checkpoint's namespace names: `host:task|inner:task`."""
    return tuple(part.partition(":")[0] for part in namespace.split("|") if part)


def snapshot(
    thread: str, namespace: str, values: Mapping[str, Decoded], version: str | None, problem: str = ""
) -> Snapshot:
    """Make a snapshot of the channels of one checkpoint."""
    sends = values[SENDS].value if SENDS in values else None
    return Snapshot(
        thread=hashed(thread),
        graph=graph_of(namespace),
        version=version,
        waiting=tuple(sorted(name.removeprefix(BRANCH) for name in values if name.startswith(BRANCH))),
        joins=tuple(sorted(name for name, each in values.items() if name.startswith(JOIN) and each.value)),
        sends=tuple(_sent(sends)),
        values={name: each for name, each in values.items() if not _is_internal(name)},
        undecodable=problem,
    )


def _is_internal(name: str) -> bool:
    return name.startswith((BRANCH, JOIN, "__"))


def _sent(sends: Any) -> Iterable[str]:
    for each in sends if isinstance(sends, list) else ():
        if isinstance(each, dict) and isinstance(each.get("node"), str):
            yield each["node"]
