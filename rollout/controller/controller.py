"""The controller in a cluster: caches fill a queue, workers reconcile rollouts, only the leader writes.

What is wrong with one Rollout (a malformed spec, no policy, no rights) is told in its conditions and events, and stops
no other. Everything it knows is in the resources: it may be killed at any time.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Literal

import structlog

from rollout.adapters.egress import Egress
from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.claims import Claims
from rollout.adapters.kubernetes.events import Events
from rollout.adapters.kubernetes.resources import ROLLOUT, Object, name_of
from rollout.adapters.metrics.sampler import Sampler
from rollout.adapters.storage.held_statuses import WriteTimings
from rollout.adapters.storage.rollout_resource import is_urgent
from rollout.backoff import Backoff
from rollout.controller.informers import Informers
from rollout.controller.metrics import ControllerMetrics
from rollout.controller.rollout_reconciler import RolloutReconciler
from rollout.controller.share import Share
from rollout.controller.wiring import Shared
from rollout.errors import ClusterUnavailable, Conflict, Forbidden, NotFound, RolloutError
from rollout.model.base import build
from rollout.runtime.clock import CLOCK
from rollout.runtime.workqueue import WorkQueue

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

URGENT_WORKERS = 2
"""Workers for aborts and rollbacks alone: however many others there are, and however slow, these do not wait."""

SAMPLERS = 16
"""Threads that wait for Prometheus."""

RESYNC_S = 600.0
READY_POLL_S = 0.1
WEDGED_S = 900.0
"""Twice what a turn may take at worst: some twenty calls of 20 s, and a Prometheus that uses up its timeout."""

STOP_TIMEOUT_S = 20.0
BACKOFF = Backoff(0.5, 60.0, jitter=1.3)
"""What failed is tried again so soon, and so late at most."""

CONFLICT_RETRY_S = 0.1
ERROR_RETRY_S = 1.0
BUG_RETRY_S = 60.0
FORBIDDEN_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one turn ended.

    Attributes:
        requeue_after_s: when to come again, or how soon at least to try again what failed.
    """

    result: Literal["done", "failed", "conflict", "forbidden", "error", "fault", "gone"]
    requeue_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a controller works.

    Attributes:
        namespace: the only one it looks after; None for all.
        egress: what documents of tenants may have it ask, and send away of its environment.
        status_writes: when evidence is written that nothing else brings along.
    """

    namespace: str | None = None
    identity: str = "rollout"
    workers: int = 8
    dry_run: bool = False
    egress: Egress = Egress({})
    status_writes: WriteTimings = WriteTimings()


class Controller:
    """Workers around one queue. They begin with the first shard; before that the caches are kept warm."""

    def __init__(self, api: Api, settings: Settings, share: Share) -> None:
        build()  # before there are threads
        self.figures = ControllerMetrics()
        self._api, self._settings, self._share = api, settings, share
        self._queue = WorkQueue(share_max=max(1, settings.workers - 1), backoff=BACKOFF)
        self.figures.depth.labels("rollout").set_function(self._queue.depth)
        self.informers = Informers(api, settings.namespace, self._enqueue)
        sampler = Sampler(WorkQueue(share_max=SAMPLERS // 4), self._enqueue, SAMPLERS)
        self._shared = Shared(
            api,
            self.informers.routes,
            share,
            sampler,
            Claims(api),
            dry_run=settings.dry_run,
            egress=settings.egress,
            scope=settings.namespace,
        )
        events = Events(api, settings.identity, CLOCK.now, self._shared.may_write)
        self._reconciler = RolloutReconciler(self._shared, self.informers, events, settings.status_writes)
        self._stopped = threading.Event()
        self._busy: dict[str, float] = {}
        self._began = False
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{n}", daemon=True) for n in range(settings.workers)
        ] + [
            threading.Thread(target=self._work, name=f"worker-urgent-{n}", args=(True,), daemon=True)
            for n in range(URGENT_WORKERS)
        ]

    def start(self) -> None:
        """Fill the caches."""
        self.informers.start()

    def gain(self, shard: int = 0) -> None:
        """Begin with the rollouts of a shard."""
        self.figures.leads.labels("rollout").set(1)
        if not self._began:
            self._began = True
            for thread in self._threads:
                thread.start()
        for key in self._keys():
            if self._share.shard_of(key) == shard:
                self._enqueue(key)

    def leave(self, shard: int) -> None:
        """Let the turns of a shard end, write what has waited, and forget its rollouts."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline and any(self._share.shard_of(key) == shard for key in list(self._busy)):
            if self._stopped.wait(READY_POLL_S):
                return  # everything ends, this shard too
        left = [key for key in self._keys() if self._share.shard_of(key) == shard]
        self._reconciler.flush(deadline, left)
        for key in left:
            self._forget(key)

    def _keys(self) -> list[str]:
        return self.informers.rollouts.keys()

    def stop(self) -> None:
        """Let every turn end; whoever comes next goes on from the resources. It may be called twice."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._queue.close()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        self._reconciler.flush(deadline, self._keys())
        self.informers.stop(1.0)
        self._shared.close()

    def not_alive(self) -> str:
        """Say whether a worker is stuck. It never depends on the API: a restart would not mend that."""
        now = time.monotonic()
        stuck = [key for key, since in list(self._busy.items()) if now - since > WEDGED_S]
        return f"reconciling {stuck[0]} does not end" if stuck else ""

    def not_ready(self) -> str:
        return self.informers.not_ready()

    def _enqueue(self, key: str) -> None:
        """Let a Rollout of ours be reconciled; one that goes back to stable goes before all others."""
        if not self._share.carries(key):
            return
        obj = self.informers.rollouts.get(*key.split("/", 1))
        self._queue.add(key, urgent=obj is not None and is_urgent(obj))

    def _work(self, urgent_only: bool = False) -> None:
        while self.informers.not_ready() and not self._stopped.wait(READY_POLL_S):
            pass  # half-filled caches would tell that things are missing which are there
        while (key := self._queue.take(urgent_only=urgent_only)) is not None:
            self._busy[key] = began = time.monotonic()
            try:
                with structlog.contextvars.bound_contextvars(rollout=key, reconcile=secrets.token_hex(4)):
                    outcome = self._reconcile(key)
                self._come_again(key, outcome)
            finally:
                self._busy.pop(key, None)
                self._queue.done(key)
            self.figures.count(outcome.result, time.monotonic() - began)

    def _come_again(self, key: str, outcome: Outcome) -> None:
        """Put a key back for its next turn."""
        obj = self.informers.rollouts.get(*key.split("/", 1))
        urgent = obj is not None and is_urgent(obj)
        match outcome.result:
            case "gone":
                self._queue.forget(key)
            case "done":
                self._queue.forget(key)
                after_s = outcome.requeue_after_s
                if after_s is None:
                    after_s = RESYNC_S * random.uniform(0.9, 1.1)  # noqa: S311
                self._queue.add_after(key, after_s, urgent=urgent)
            case "forbidden" | "fault":
                self._queue.add_after(key, outcome.requeue_after_s or BUG_RETRY_S, urgent=urgent)
            case "failed" | "conflict" | "error":
                self._queue.add_rate_limited(key, least_s=outcome.requeue_after_s, urgent=urgent)

    def _reconcile(self, key: str) -> Outcome:
        """Reconcile one Rollout and return how it ended. Never raises."""
        namespace, _, name = key.partition("/")
        obj = self.informers.rollouts.get(namespace, name)
        if obj is None or not self._share.carries(key):
            if obj is None:
                self._forget(key)
            return Outcome("gone")
        try:
            result = self._reconciler.reconcile(obj)
        except Conflict:
            self._refresh(obj)
            return Outcome("conflict", CONFLICT_RETRY_S)
        except NotFound:
            self._refresh(obj)
            return Outcome("error", ERROR_RETRY_S)
        except Forbidden as error:
            self._warn(key, error)
            return Outcome("forbidden", FORBIDDEN_RETRY_S)
        except ClusterUnavailable as error:
            self._warn(key, error)
            return Outcome("error", max(ERROR_RETRY_S, error.retry_after_s))
        except RolloutError as error:
            self._warn(key, error)
            return Outcome("error", ERROR_RETRY_S)
        except Exception:  # noqa: BLE001  one rollout must not take the others down
            _LOG.exception("internal error: please report it; other rollouts go on")
            return Outcome("fault", BUG_RETRY_S)
        if result.status is not None:
            self.figures.show(namespace, name, result.status)
            self.figures.count_verdicts(result.verdicts)
        return Outcome("failed") if result.failures else Outcome("done", result.requeue_after_s)

    def _forget(self, key: str) -> None:
        """Forget a Rollout that is gone, or is carried out by another controller from now on."""
        self._shared.forget(key)
        self._reconciler.forget(key)
        self.figures.forget(*key.split("/", 1))

    def _refresh(self, obj: Object) -> None:
        """Read a Rollout past the cache: what we knew of it is old."""
        try:
            self.informers.rollouts.note(self._api.get(ROLLOUT, obj["metadata"]["namespace"], name_of(obj)))
        except NotFound:
            self.informers.rollouts.forget(obj)
        except ClusterUnavailable as error:
            _LOG.debug("it could not be read again; the watch brings it", why=str(error))

    def _warn(self, key: str, error: Exception) -> None:
        """Warn of an error when it begins, and once more when it goes on."""
        if self._queue.failures(key) in (0, 5):
            _LOG.warning("cannot be carried out now; it is tried again", why=str(error))
