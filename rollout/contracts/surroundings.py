"""Rules for what is around the state: framework, libraries, formats, stores."""

from __future__ import annotations

import re

from rollout.contracts.comparison import Side
from rollout.model.agent_state import Axis, Severity

READABLE_SINCE = (0, 6)
"""Checkpoints of LangGraph 1.x were seen to be read by 0.6 and later, and not by 0.2."""


def surroundings(side: Side) -> None:
    """Note what follows from who made the checkpoints, not from what is in them."""
    _formats(side)
    _libraries(side)
    _stores(side)
    migrator = (side.reads if side.is_backward else side.writes).store.migrator
    if migrator is not None and migrator.write_back and not side.is_backward:
        for axis in (Axis.FORWARD, Axis.HOP):
            change = (f"{migrator.name} writes back", "reads what was there")
            side.find("MIGRATOR_WRITE_BACK", Severity.BREAK, "/store/migrator", *change, axis=axis)


def _stores(side: Side) -> None:
    one, two = side.writes.store, side.reads.store
    if "other" not in (one.kind, two.kind) and one.kind != two.kind:
        side.find("STORE_CHANGED", Severity.BREAK, "/store/kind", one.kind, two.kind)
    if one.serde and two.serde and one.serde != two.serde:
        side.find("STORE_CHANGED", Severity.BREAK, "/store/serde", one.serde, two.serde)
    if one.pickles and not two.pickles:
        change = ("pickles what it knows nothing of", "reads nothing pickled")
        side.find("STORE_CHANGED", Severity.RISK, "/store/pickles", *change)
    if one.memory and one.memory != two.memory:
        side.find("STORE_CHANGED", Severity.RISK, "/store/memory", one.memory, two.memory or "none")


def _formats(side: Side) -> None:
    wrote, reads = side.writes.writes_version, side.reads.reads_versions
    if wrote is not None and reads and wrote not in reads:
        side.find("FORMAT_VERSION", Severity.BREAK, "/readsVersions", wrote, ", ".join(reads))
    elif wrote is not None and not reads and wrote != side.reads.writes_version:
        side.find("FORMAT_VERSION", Severity.UNKNOWN, "/readsVersions", wrote, "does not say what it reads")


def _libraries(side: Side) -> None:
    wrote, reads = side.writes.framework.libs, side.reads.framework.libs
    for name in sorted(wrote.keys() & reads.keys()):
        newer, older = _release(wrote[name]), _release(reads[name])
        if newer <= older:
            continue  # a newer library reads what an older one wrote
        known = name in ("langgraph", "langgraph-checkpoint")
        if known and name == "langgraph" and older < READABLE_SINCE:
            side.find("LIBRARY_SKEW", Severity.BREAK, f"/framework/libs/{name}", wrote[name], reads[name])
        elif newer[:1] != older[:1] and not known:
            side.find("LIBRARY_SKEW", Severity.UNKNOWN, f"/framework/libs/{name}", wrote[name], reads[name])


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
