"""The wall clock, at the edge, made fit for those who measure spans with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

SLEW = 0.1
"""How fast a step of the wall clock is followed: spans are wrong by so much at most."""

STEP_S = 2.0
"""The wall clock has stepped if it is off by more; less is what NTP does all the time."""


class WallClock:
    """Time as the machine tells it."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def uptime_s() -> float:
    """Return monotonic seconds that go on while the machine sleeps, where it can tell them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class SlewedClock:
    """Time that never steps: a step of the wall clock, in either direction, is followed slowly.

    Deadlines in a status are times. A wall clock that is set an hour back or forth would move all of them.
    """

    def __init__(
        self, wall: Callable[[], datetime] = lambda: datetime.now(UTC), monotonic: Callable[[], float] = uptime_s
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._at, self._read_at = wall(), monotonic()

    def now(self) -> datetime:
        with self._lock:
            read_at, wall = self._monotonic(), self._wall()
            passed_s = max(0.0, read_at - self._read_at)
            off_s = (wall - self._at).total_seconds() - passed_s
            if abs(off_s) <= STEP_S:
                self._at = max(self._at, wall)
            else:
                pace_s = SLEW * passed_s
                self._at += timedelta(seconds=passed_s + max(-pace_s, min(pace_s, off_s)))
            self._read_at = read_at
            return self._at


CLOCK = SlewedClock()
"""One for the whole process, so that all of it agrees."""
