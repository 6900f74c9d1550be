"""Contracts and the census of live conversations, each on a thread of its own: they may be slow, no turn waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from rollout.contracts.contract_text import read
from rollout.contracts.samples.assess import only_by, places
from rollout.contracts.samples.snapshot import Limits
from rollout.contracts.samples.stores import Secret, survey
from rollout.engine.facts import FetchedContract
from rollout.engine.ports import Clock
from rollout.engine.transitions import OBSERVED
from rollout.errors import Unavailable
from rollout.model.agent_state import Census, StateGate
from rollout.model.api.state_sources import StateStore
from rollout.model.pinned import pinned_policy
from rollout.model.rollout import Rollout

FRESH_S = 5.0
"""So long a contract that was fetched is not fetched again."""


class StateCollector:
    """What is known of the state of one rollout's versions. It fetches at most one thing of each kind at a time."""

    def __init__(
        self,
        contract_of: Callable[[Rollout, str], FetchedContract],
        secret: Secret,
        clock: Clock,
        *,
        may_name_files: bool = True,
    ) -> None:
        """Know nothing yet.

        Args:
            may_name_files: whether a database's URL may name files of this machine: not in a cluster, where its author
                is not the controller's.
        """
        self._contract_of, self._secret, self._clock = contract_of, secret, clock
        self._may_name_files = may_name_files
        self._fetching: threading.Thread | None = None
        self._counting: threading.Thread | None = None
        self._texts: tuple[tuple[str, ...], float, Mapping[str, FetchedContract]] = ((), 0.0, {})
        self._counted: tuple[tuple[str, ...], Census | None] = ((), None)
        self._count_at = 0.0

    def contracts(self, rollout: Rollout, versions: tuple[str, ...]) -> Mapping[str, FetchedContract]:
        """Return what is known; nothing while it is still being fetched."""
        asked, at, texts = self._texts
        known = asked == versions
        if not _is_busy(self._fetching) and (not known or time.monotonic() - at > FRESH_S):
            self._fetching = _start("contracts", lambda: self._fetch(rollout, versions))
        return texts if known else {}

    def _fetch(self, rollout: Rollout, versions: tuple[str, ...]) -> None:
        try:
            texts = {version: self._contract_of(rollout, version) for version in versions}
        except Exception as error:  # noqa: BLE001  on this thread nobody else would hear of it
            texts = dict.fromkeys(versions, FetchedContract(problem=f"cannot be fetched: {type(error).__name__}"))
        self._texts = (versions, time.monotonic(), texts)

    def census(self, rollout: Rollout) -> Census | None:
        """Return the newest census by the pinned contracts; begin another if it is time."""
        status, store = rollout.status, rollout.spec.state_store
        pair = tuple(version for version in (status.stable_version, status.candidate_version) if version)
        texts = tuple(status.contracts[version].text for version in pair if version in status.contracts)
        if store is None or status.phase not in OBSERVED or len(texts) < len(pair):
            return None
        if not all(texts):
            return Census(
                at=self._clock.now(), problem="a contract is too large to be kept, so nothing can be judged by it"
            )
        policy = pinned_policy(status)
        gate = (policy.gates.state if policy else None) or StateGate()
        known, census = self._counted
        due = known != texts or time.monotonic() >= self._count_at
        if due and not _is_busy(self._counting):
            self._count_at = time.monotonic() + gate.every_s
            limits = Limits(newest=gate.threads)
            self._counting = _start("conversations", lambda: self._count(store, texts, limits))
        return census if known == texts else None

    def _count(self, store: StateStore, texts: tuple[str, ...], limits: Limits) -> None:
        now = self._clock.now()
        try:
            census = self._census(store, texts, limits, now)
        except Unavailable as error:
            census = Census(at=now, problem=str(error))
        except Exception as error:  # noqa: BLE001  on this thread nobody else would hear of it
            census = Census(at=now, problem=f"live conversations cannot be counted: {type(error).__name__}")
        self._counted = (texts, census)

    def _census(self, store: StateStore, texts: tuple[str, ...], limits: Limits, now: datetime) -> Census:
        old, new = (read(text) for text in texts)
        stored = survey(store, self._secret, limits, may_name_files=self._may_name_files)
        backward = only_by(stored.snapshots, new, old)
        forward = only_by(stored.snapshots, old, new)
        return Census(
            at=now,
            threads=stored.threads,
            complete=stored.complete,
            waiting=places(stored.snapshots),
            backward=backward.affected,
            backward_reasons=backward.reasons,
            forward=forward.affected,
            forward_reasons=forward.reasons,
            undecided=max(backward.undecided, forward.undecided),
            problem=stored.problem,
        )

    def close(self) -> None:
        """Nothing to end: what is under way is bounded in time, and its answer is not read."""


def _is_busy(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.is_alive()


def _start(what: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=f"state {what}", daemon=True)
    thread.start()
    return thread
