"""Carrying out one rollout in the foreground, until it has ended or somebody stops us."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable

import structlog

from rollout.engine.plan import Plan
from rollout.errors import Unavailable
from rollout.model.status.status import Status
from rollout.runtime.reconciler import Reconciler
from rollout.runtime.signals import on_stop

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

RETRY_AFTER_S = 1.0
"""How soon to try again when the records cannot be written."""

Watch = Callable[[Plan], None]
"""Is told each plan, to show it."""

Done = Callable[[Plan], bool]
"""Whether the caller has seen enough."""


def run(key: str, reconciler: Reconciler, watch: Watch, done: Done) -> Status | None:
    """Look again and again until `done`. Returns None if a signal stopped it first."""
    stops: queue.SimpleQueue[None] = queue.SimpleQueue()  # its put is safe within a signal handler
    with on_stop(lambda: stops.put(None)), structlog.contextvars.bound_contextvars(rollout=key):
        while True:
            try:
                made = reconciler.reconcile()
            except Unavailable as error:
                _LOG.warning(str(error))
                again_s = RETRY_AFTER_S
            else:
                watch(made)
                if done(made):
                    return made.status if stops.empty() else None
                again_s = made.again_s
            with contextlib.suppress(queue.Empty):
                stops.get(timeout=again_s)  # monotonic: a wall clock that steps makes nobody sleep
                return None
