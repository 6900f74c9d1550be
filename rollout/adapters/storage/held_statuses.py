"""Statuses between two writes: read once, carried from turn to turn, written by a schedule.

A held status counts only as long as the one in the cluster is the one that it was made from. Whoever else writes it,
and whoever starts anew, goes by what is written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rollout.adapters.kubernetes.resources import Object, key_of
from rollout.adapters.storage.rollout_resource import conditions_in, status_of
from rollout.model.status.conditions import Condition
from rollout.model.status.status import Status


@dataclass(frozen=True, slots=True)
class WriteTimings:
    """When evidence is written that nothing else brings along.

    Attributes:
        soonest_s: after the last write of the same Rollout.
        latest_s: a crash loses no more than this of what pods counted that have ended meanwhile.
        spacing_s: between two such writes of one controller, as long as none is late.
    """

    soonest_s: float = 15.0
    latest_s: float = 120.0
    spacing_s: float = 1.0


AT_ONCE = WriteTimings(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class HeldStatus:
    """One Rollout's status.

    Attributes:
        raw: as it stands in the cluster.
        written: what that says.
        status, conditions: what holds now, whether it is written or not.
        written_at_s: when it was last written, or first read (monotonic).
    """

    uid: str
    raw: Any
    written: Status
    written_conditions: tuple[Condition, ...]
    status: Status
    conditions: tuple[Condition, ...]
    written_at_s: float

    @property
    def is_written(self) -> bool:
        return self.status is self.written and self.conditions is self.written_conditions


class HeldStatuses:
    """Those of one controller. Each Rollout has one worker at a time; the schedule is shared by all."""

    def __init__(
        self, timings: WriteTimings = WriteTimings(), monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._timings, self._monotonic_s = timings, monotonic_s
        self._lock = threading.Lock()
        self._next_write_s = 0.0
        self._held: dict[str, HeldStatus] = {}

    def of(self, obj: Object) -> HeldStatus:
        """Return what holds of an object as it was read. Raises InvalidInput where its status cannot be read."""
        held, raw, uid = self._held.get(key_of(obj)), obj.get("status"), str(obj["metadata"].get("uid", ""))
        if held is None or held.uid != uid or (held.raw is not raw and held.raw != raw):
            status, conditions = status_of(obj), conditions_in(obj)
            held = HeldStatus(uid, raw, status, conditions, status, conditions, self._monotonic_s())
            self._held[key_of(obj)] = held
        elif held.raw is not raw:
            held = self._held[key_of(obj)] = replace(held, raw=raw)  # the same one, as the watch has brought it
        return held

    def hold(self, obj: Object, status: Status, conditions: tuple[Condition, ...]) -> None:
        """Carry a status on that is not written."""
        self._held[key_of(obj)] = replace(self.of(obj), status=status, conditions=conditions)

    def wrote(self, obj: Object, status: Status, conditions: tuple[Condition, ...]) -> None:
        """Take note that a status was written: `obj` is what the API server answered."""
        uid, raw = str(obj["metadata"].get("uid", "")), obj.get("status")
        self._held[key_of(obj)] = HeldStatus(uid, raw, status, conditions, status, conditions, self._monotonic_s())

    def may_be_due(self, held: HeldStatus) -> bool:
        """Whether it was written long enough ago to be written again."""
        return self._monotonic_s() - held.written_at_s >= self._timings.soonest_s

    def is_due(self, held: HeldStatus) -> bool:
        """Whether evidence that has waited is written now. Whoever is told so writes."""
        now = self._monotonic_s()
        age_s = now - held.written_at_s
        with self._lock:
            if age_s < self._timings.latest_s and now < self._next_write_s:
                return False
            self._next_write_s = now + self._timings.spacing_s
            return True

    def unwritten(self) -> list[str]:
        """Return the keys of Rollouts whose status is not written as it holds."""
        return [key for key, held in list(self._held.items()) if not held.is_written]

    def forget(self, key: str) -> None:
        """Forget a Rollout that is gone, or carried out by somebody else."""
        self._held.pop(key, None)
