"""The census of open conversations in a LangGraph store: threads that wait, by the version that wrote them."""

from __future__ import annotations

from collections.abc import Callable

from rollout.contracts.samples.snapshot import Survey
from rollout.errors import StoreUnreadable


def from_threads(survey: Callable[[], Survey]) -> Callable[[str], int]:
    """Return how a version's open conversations are counted. What cannot be told to be finished is open."""

    def count(version: str) -> int:
        seen = survey()
        if seen.problem:
            raise StoreUnreadable(f"the threads cannot be counted: {seen.problem}")
        if not seen.complete:
            raise StoreUnreadable(f"only some of {seen.threads} threads were looked at: use a gauge or a page")
        waiting = [snapshot for snapshot in seen.snapshots if snapshot.is_waiting or snapshot.undecodable]
        unknown = sum(snapshot.version is None for snapshot in waiting)
        if unknown:
            remedy = 'write it: graph.with_config(metadata={"agent_version": …})'
            raise StoreUnreadable(f"{unknown} open threads do not say which version wrote them: {remedy}")
        return sum(snapshot.version == version for snapshot in waiting)

    return count
