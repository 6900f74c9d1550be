"""The local daemon: carries out all rollouts of one state directory, each under its own lease.

A scan finds rollouts that nobody holds; workers reconcile them, one worker a rollout at a time; timers only
enqueue. What goes wrong with one rollout is told and tried again, and stops no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.adapters.storage.sqlite_status import SqliteStatusStore
from rollout.backoff import Backoff
from rollout.engine.eligibility import starts_by_itself
from rollout.errors import RolloutError
from rollout.local.run_one import NEWS_S
from rollout.local.wiring import LocalWiring, wiring
from rollout.model.api.rollout import RolloutSpec
from rollout.model.base import build
from rollout.model.rollout import Rollout
from rollout.runtime.clock import CLOCK
from rollout.runtime.reconciler import Reconciler
from rollout.runtime.workqueue import WorkQueue

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

SCAN_EVERY_S = 0.5
BACKOFF = Backoff(2.0, 30.0)
"""What failed is tried again so soon, and so late at most."""

BUG_RETRY_S = 30.0
"""A fault of ours is not mended by trying at once; other rollouts go on."""

OVERDUE_S = 5.0
IDLE_AFTER_S = 5.0
STOP_TIMEOUT_S = 15.0
_SCAN = ""


@dataclass
class Charge:
    """One rollout in our care: its lease, and what was built to carry it out."""

    held: SqliteStatusStore
    built_from: RolloutSpec
    wiring: LocalWiring
    reconciler: Reconciler
    active: bool = True


class Supervisor:
    """Workers around one queue. Run it from the main thread."""

    def __init__(self, store: SqliteStore, *, workers: int = 4) -> None:
        build()  # before there are threads
        self._store = store
        self._queue = WorkQueue(backoff=BACKOFF)
        self._charges: dict[str, Charge] = {}
        self._warned: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._idle_since = time.monotonic()
        self._threads = [threading.Thread(target=self._work, name=f"worker-{n}", daemon=True) for n in range(workers)]

    def run(self, stopped: threading.Event, ending: Callable[[bool], None] | None = None) -> None:
        """Work until `stopped`, or, with `ending`, until nothing is under way any more.

        Args:
            ending: is told True before the store is read for the last time, so that nobody hands us anything any
                more, and False if something had come in just before.
        """
        for thread in self._threads:
            thread.start()
        try:
            while not stopped.wait(SCAN_EVERY_S):
                self._queue.add(_SCAN)
                if ending is not None and time.monotonic() - self._idle_since > IDLE_AFTER_S:
                    ending(True)
                    if not any(_has_work(row.rollout) for row in self._store.all()):
                        break
                    ending(False)
                    self._idle_since = time.monotonic()
        finally:
            self._stop()

    def _stop(self) -> None:
        """Let every turn end, then let go of the leases; whoever comes next goes on from the store."""
        self._queue.close()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for name in list(self._charges):
            self._drop(name)

    def _work(self) -> None:
        while (key := self._queue.take()) is not None:
            try:
                if key == _SCAN:
                    self._scan()
                else:
                    with structlog.contextvars.bound_contextvars(rollout=key):
                        self._come_again(key, self._reconcile(key))
            except RolloutError as error:
                self._warn(key, str(error))
                if key != _SCAN:
                    self._due[key] = time.monotonic() + self._queue.add_rate_limited(key)
            except Exception:  # noqa: BLE001  one rollout must not take the others down
                _LOG.exception("internal error: please report it; other rollouts go on", rollout=key)
                self._drop(key)  # the next turn begins anew, from the store
                self._come_again(key, BUG_RETRY_S)
            finally:
                self._queue.done(key)

    def _come_again(self, key: str, after_s: float) -> None:
        if key != _SCAN:
            self._queue.forget(key)
            self._due[key] = time.monotonic() + after_s
            self._queue.add_after(key, after_s)

    def _scan(self) -> None:
        """Find rollouts that nobody holds, and those whose turn is overdue."""
        now = time.monotonic()
        for name in self._store.names():
            ours, due = name in self._charges, self._due.get(name, 0.0)
            if (ours and now > due + OVERDUE_S) or (not ours and now >= due and not self._store.is_held(name)):
                self._queue.add(name)
        if any(charge.active for charge in list(self._charges.values())):
            self._idle_since = now

    def _reconcile(self, name: str) -> float:
        """Reconcile one rollout; return when to come again, in seconds."""
        charge = self._charges.get(name)
        if charge is None:
            charge = self._charges[name] = self._take(name)
            self._idle_since = time.monotonic()
        try:
            spec = charge.held.load().spec
            if wiring(spec) != charge.built_from:
                self._rebuild(charge)
            plan = charge.reconciler.reconcile().plan
        except RolloutError:
            self._drop(name)  # the next turn begins anew, from the store
            raise
        self._warned.pop(name, None)
        charge.active = bool(plan.effects) or _has_work(Rollout(charge.held.load().metadata, spec, plan.status))
        if charge.active:
            self._idle_since = time.monotonic()
        return plan.requeue_after_s or SCAN_EVERY_S

    def _take(self, name: str) -> Charge:
        row = self._store.get(name)
        if row is None:
            raise RolloutError(f"{name} is not recorded any more")
        held = self._store.hold(row.rollout.metadata, lambda recorded: recorded or row.rollout)
        try:
            built = LocalWiring(held.load(), self._store.directory)
        except BaseException:
            held.release()
            raise
        _LOG.info("carries it out", rollout=name, phase=held.load().status.phase)
        return Charge(held, wiring(held.load().spec), built, built.reconciler(held))

    def _rebuild(self, charge: Charge) -> None:
        """Follow a change of endpoints, router or metrics pages."""
        built = LocalWiring(charge.held.load(), self._store.directory)
        charge.wiring.close()
        charge.built_from, charge.wiring = wiring(charge.held.load().spec), built
        charge.reconciler = built.reconciler(charge.held)

    def _drop(self, name: str) -> None:
        charge = self._charges.pop(name, None)
        if charge is not None:
            charge.wiring.close()
            charge.held.release()

    def _warn(self, name: str, why: str) -> None:
        """Warn when a trouble begins, not at each of the tries that follow."""
        if self._warned.get(name) != why:
            self._idle_since = time.monotonic()
            self._warned[name] = why
            _LOG.warning("cannot be carried out now; it is tried again", rollout=name, why=why)


def _has_work(rollout: Rollout) -> bool:
    """Whether a rollout is under way, or wanted."""
    status = rollout.status
    news = any((CLOCK.now() - notice.at).total_seconds() < NEWS_S for notice in status.notices)
    return status.is_active or bool(status.draining) or news or starts_by_itself(status, rollout.spec.version)
