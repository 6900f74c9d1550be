"""Carrying out one rollout in the foreground, until it has ended or somebody stops us."""

from __future__ import annotations

import queue
from collections.abc import Callable

import structlog

from rollout.daemon.reconcile import Reconciler
from rollout.daemon.signals import on_stop
from rollout.daemon.timers import SchedulerTimers
from rollout.engine.plan import Plan
from rollout.errors import Unavailable
from rollout.model.status import Status

RETRY_AFTER_S = 1.0
"""How soon to try again when the records cannot be written."""

Watch = Callable[[Plan], None]
"""Is told each plan, to show it."""

Done = Callable[[Plan], bool]
"""Whether the caller has seen enough."""


def run(key: str, reconciler: Reconciler, watch: Watch, done: Done) -> Status | None:
    """Look again and again until `done`. Returns None if a signal stopped it first."""
    wakes: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # its put is safe within a signal handler
    timers = SchedulerTimers(wakes.put)
    wakes.put(key)
    longest_s = RETRY_AFTER_S
    try:
        with on_stop(lambda: wakes.put(None)):
            while _next(wakes, longest_s) is not None:
                try:
                    made = reconciler.look()
                except Unavailable as error:
                    structlog.get_logger("rollout").warning(str(error))
                    timers.after(key, RETRY_AFTER_S)
                    longest_s = 2 * RETRY_AFTER_S
                    continue
                watch(made)
                if done(made):
                    return made.status
                timers.after(key, made.again_s)
                longest_s = 2 * made.again_s + 1.0
        return None
    finally:
        timers.stop()


def _next(wakes: queue.SimpleQueue[str | None], longest_s: float) -> str | None:
    """Return the next wake; none for so long means that the wall clock stepped back under the timers: look anyhow."""
    try:
        return wakes.get(timeout=longest_s)
    except queue.Empty:
        return ""
