"""Carrying out one rollout in the foreground, until it has ended or somebody stops us."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from rollout.backoff import Backoff
from rollout.engine.notices import settled
from rollout.engine.planned import Plan
from rollout.engine.ports import Ports
from rollout.engine.requeue import IDLE_S
from rollout.errors import InvalidInput, LeaseLost, StoreUnavailable, Unavailable
from rollout.model.api.policy import PolicySpec
from rollout.model.pinned import effective_policy
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.runtime.reconciler import Reconciler
from rollout.runtime.signals import on_stop

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

BACKOFF = Backoff(1.0, 30.0)
"""When to try again while the store cannot be written."""

TELL_WITHIN_S = 8.0
"""Whoever asks for something meanwhile waits for ten seconds."""

TELL_EVERY_S = 0.25
NEWS_S = 60.0

Watch = Callable[[Plan], None]
"""Is told each plan, to show it."""

Done = Callable[[Plan], bool]
"""Whether the caller has seen enough."""


def _let_people_know(ports: Ports, policy_of: Callable[[Rollout], PolicySpec], stops: queue.SimpleQueue[None]) -> None:
    """Stay until those who are to be told were, or their time is over: nobody comes after us to tell them.

    Nothing is planned any more: what comes in meanwhile is for whoever carries the rollout out next.
    """
    until_s = time.monotonic() + TELL_WITHIN_S
    while time.monotonic() < until_s:
        rollout = ports.status_store.load()
        notifications = effective_policy(rollout.status, policy_of(rollout)).notifications
        if ports.notifier is None or notifications is None or not _news(rollout.status, ports.clock.now()):
            return
        status = settled(rollout.status, ports.notifier.deliveries(rollout, notifications))
        if status != rollout.status:
            ports.status_store.save(Plan(status))
            continue
        with contextlib.suppress(queue.Empty):
            stops.get(timeout=TELL_EVERY_S)
            return


def _news(status: Status, now: datetime) -> bool:
    """Whether something has just come about that people do not know yet; what is older has been tried."""
    return any((now - notice.at).total_seconds() < NEWS_S for notice in status.notices)


def run(
    key: str, reconciler: Reconciler, watch: Watch, done: Done, *, patience_s: float | None = None
) -> Status | None:
    """Reconcile again and again until `done`. Returns None if a signal stopped it first.

    Args:
        patience_s: a store that cannot be written for so long ends it, with StoreUnavailable; None: it is tried on.
    """
    failures, last_success_s = 0, time.monotonic()
    stops: queue.SimpleQueue[None] = queue.SimpleQueue()  # its put is safe within a signal handler
    with on_stop(lambda: stops.put(None)), structlog.contextvars.bound_contextvars(rollout=key):
        while True:
            try:
                plan = reconciler.reconcile().plan
            except Unavailable as error:
                impatient = patience_s is not None and time.monotonic() - last_success_s >= patience_s
                if isinstance(error, LeaseLost) or (impatient and isinstance(error, StoreUnavailable)):
                    raise
                failures += 1
                _LOG.warning(str(error))
                requeue_after_s = BACKOFF.after_s(failures)
            except InvalidInput:
                raise
            except Exception:  # noqa: BLE001  to end here would leave the candidate its share, and nobody to judge it
                failures += 1
                _LOG.exception("internal error: please report it; it is tried again")
                requeue_after_s = BACKOFF.after_s(failures)
            else:
                failures, last_success_s = 0, time.monotonic()
                watch(plan)
                if done(plan):
                    if not stops.empty():
                        return None
                    try:
                        _let_people_know(reconciler.ports, reconciler.policy_of, stops)
                    except Exception:  # noqa: BLE001  the release is over, whatever becomes of its news
                        _LOG.exception("people could not be told")
                    return plan.status
                requeue_after_s = plan.requeue_after_s or IDLE_S
            with contextlib.suppress(queue.Empty):
                stops.get(timeout=requeue_after_s)  # monotonic: a wall clock that steps makes nobody sleep
                return None
