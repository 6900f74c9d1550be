"""Conversations of one process, counted by version: begun, finished, failed, open. Safe to use from several threads.

Outcomes say whether their conversation began lately. A release compares those only: what old conversations go through
is no version's merit or fault (docs/statistics.md).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

IDLE_S = 1800.0
LATELY_S = 3600.0
OPEN_MAX = 100_000


class OpenConversations:
    """The conversations that this process knows to be open."""

    def __init__(
        self,
        version: str,
        *,
        idle_s: float = IDLE_S,
        lately_s: float = LATELY_S,
        registry: CollectorRegistry = REGISTRY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with none.

        Args:
            version: what this process runs.
            idle_s: after so long without a turn a conversation counts as finished.
            lately_s: conversations younger than this began lately.
            now: seconds, monotonic.
        """
        self.version = version
        self._idle_s, self._lately_s, self._now = idle_s, lately_s, now
        self._lock = threading.Lock()
        self._open: OrderedDict[str, tuple[float, float]] = OrderedDict()
        names, outcome = ["version"], ["version", "begun"]
        self._started = Counter(
            "agent_conversations_started", "Conversations that began here.", names, registry=registry
        ).labels(version)
        self._unpinned = Counter(
            "agent_conversations_unpinned", "Turns of open ones that came without a pin.", names, registry=registry
        ).labels(version)
        self._finished = Counter("agent_conversations_finished", "Those that ended.", outcome, registry=registry)
        self._failed = Counter("agent_conversations_failed", "Those that ended badly.", outcome, registry=registry)
        for begun in ("lately", "before"):  # a series that is there from the start counts from 0
            self._finished.labels(version, begun)
            self._failed.labels(version, begun)
        gauge = Gauge("agent_conversations_open", "Conversations that are open.", names, registry=registry)
        gauge.labels(version).set_function(self.count)

    def turn(self, conversation: str, *, begins: bool = False) -> None:
        """Note a turn of a conversation.

        Args:
            begins: whether it came without a pin, so that it began with this turn, on this version. One that is open
                already has lost its pin on the way. With a pin, one that is seen for the first time began elsewhere, or
                earlier.
        """
        now = self._now()
        with self._lock:
            self._expire(now)
            known = self._open.pop(conversation, None)
            if begins:
                (self._started if known is None else self._unpinned).inc()
            began = known[0] if known else now if begins else now - self._lately_s
            self._open[conversation] = (began, now)
            while len(self._open) > OPEN_MAX:
                self._open.popitem(last=False)

    def finish(self, conversation: str, *, failed: bool = False) -> None:
        """Note that a conversation is over. One that is not open changes nothing: it is counted once."""
        now = self._now()
        with self._lock:
            known = self._open.pop(conversation, None)
        if known is not None:
            self._end(known[0], now, failed=failed)

    def count(self) -> int:
        """Return how many are open."""
        with self._lock:
            self._expire(self._now())
            return len(self._open)

    def _expire(self, now: float) -> None:
        """End what was idle for too long; the longest idle ones stand first."""
        while self._open and now - next(iter(self._open.values()))[1] > self._idle_s:
            _, (began, last) = self._open.popitem(last=False)
            self._end(began, last, failed=False)

    def _end(self, began: float, at: float, *, failed: bool) -> None:
        begun = "lately" if at - began < self._lately_s else "before"
        self._finished.labels(self.version, begun).inc()
        if failed:
            self._failed.labels(self.version, begun).inc()
