"""Questions to one Prometheus are gathered for a moment, and asked together: one query serves many rollouts."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

import structlog

from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_source import Asking, asked_together
from rollout.engine.facts import Round

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

GATHER_S = 0.03
"""So long questions are waited for after the first: those that are due at one time are made ready one by one."""

GATHER_SHARE, GATHER_MAX_S = 2.0, 1.0
"""So many times as long as the last answer took, up to a second: a selector that names no agent has the series of all
in each answer, and few large groups cost less than many small ones."""

TOGETHER_MAX = 256
"""So many rounds are asked together; their answer is bounded."""

AT_ONCE_MAX = 2
"""So many groups one Prometheus is asked at a time. While it is slow, the groups grow."""

Note = Callable[[Round | None, str], None]
"""Is told the round; or None, and why there is none."""


class Together:
    """Gathers questions by whom they ask."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Args: now: unix seconds."""
        self._now, self._lock = now, threading.Lock()
        self._waiting: dict[PrometheusClient, deque[tuple[Asking, Note]]] = defaultdict(deque)
        self._askers: dict[PrometheusClient, int] = defaultdict(int)
        self._took_s: dict[PrometheusClient, float] = {}

    def add(self, asking: Asking, note: Note) -> None:
        """Have a round asked with others, soon; `note` is told it on another thread."""
        client = asking.client
        with self._lock:
            self._waiting[client].append((asking, note))
            first = len(self._waiting[client]) == 1
            if not first or self._askers[client] >= AT_ONCE_MAX:
                return
            self._askers[client] += 1
        threading.Thread(target=self._run, args=(client,), name="prometheus-gather", daemon=True).start()

    def _run(self, client: PrometheusClient) -> None:
        while True:
            time.sleep(max(GATHER_S, min(GATHER_MAX_S, GATHER_SHARE * self._took_s.get(client, 0.0))))
            if not (group := self._next(client)):
                return
            began = time.monotonic()
            _ask(group, self._now)
            self._took_s[client] = time.monotonic() - began

    def _next(self, client: PrometheusClient) -> list[tuple[Asking, Note]]:
        """Return the next group; an empty one where nothing waits, and this thread is one fewer."""
        with self._lock:
            waiting = self._waiting[client]
            group = [waiting.popleft() for _ in range(min(TOGETHER_MAX, len(waiting)))]
            if not group:
                self._askers[client] -= 1
                if not self._askers[client]:
                    del self._askers[client], self._waiting[client]
                    self._took_s.pop(client, None)
            return group


def _ask(group: Sequence[tuple[Asking, Note]], now: Callable[[], float]) -> None:
    try:
        rounds = asked_together([asking for asking, _ in group], now)
    except Exception as error:  # noqa: BLE001  on this thread nobody else would hear of it
        _LOG.exception("internal error: please report it")
        for _, note in group:
            note(None, f"the counters cannot be read: {type(error).__name__}")
        return
    for round_, (_, note) in zip(rounds, group, strict=True):
        note(round_, "")
