"""Handing a rollout to a daemon: declare what is wanted, see that it is taken up, follow it or return."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.cli.follow.until import OnPause, checked, say_if_declined, until_settled
from rollout.cli.options import Output
from rollout.cli.say import say
from rollout.errors import StoreUnavailable

if TYPE_CHECKING:
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.documents import Target
    from rollout.model.status.status import Status

HAND_OVER_TIMEOUT_S = 20.0
HAND_OVER_POLL_S = 0.1
LEASE_CHANGES_HANDS_S = 2.0
"""A daemon that takes a lease writes its name into the store a moment later: until then the last one stands there."""


def hand_over(
    target: Target, version: str, stable: str | None, state: Path, on_pause: OnPause, output: Output, *, detach: bool
) -> int:
    """Declare what is wanted and let a daemon carry it out; follow it, or return as soon as it is in its hands."""
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.follow.follower import Follower
    from rollout.cli.options import pick
    from rollout.cli.render.documents import print_document, rollout_document
    from rollout.cli.render.live import watcher
    from rollout.cli.render.result import exit_code, finish
    from rollout.engine.eligibility import starts_by_itself
    from rollout.errors import RouterUnavailable
    from rollout.local.daemon_lock import ensure
    from rollout.local.wiring import LocalWiring

    wanted = checked(target, version, stable, state)
    store, name = SqliteStore(state, create=True), target.metadata.name
    refuse_beside_another(store, name, state)
    last = store.last_decision(name)
    store.declare(wanted)
    say_if_declined(wanted, version, pending=False)
    daemon, deadline = ensure(state), time.monotonic() + HAND_OVER_TIMEOUT_S
    while not _is_taken(store, name, version, last):
        if time.monotonic() > deadline:
            message = f"the daemon ({daemon}) has not taken {name} up in {HAND_OVER_TIMEOUT_S:g} s"
            raise StoreUnavailable(f"{message}; see {state / 'daemon.log'}, or whether another controller holds it")
        time.sleep(HAND_OVER_POLL_S)
        daemon = ensure(state)  # it may have ended for want of work as we came
    row = pick(store, name)
    status = row.rollout.status
    if detach and (status.is_active or starts_by_itself(status, version)):
        if output is Output.JSON:
            print_document(rollout_document(row.rollout))
        else:
            say(f"{name}: the daemon ({daemon}) runs the release of {version}. To follow it: rollout status --watch")
        return 0
    follower = Follower(store, row, last)
    ended: Status | None = status
    if not detach:
        with watcher(name, follower.load) as watching:
            settled = until_settled(version, on_pause, follower.load)
            ended = follower.until(settled, watching.show, attended=True)
        if ended is None:
            say("the daemon continues the release. To follow it again: rollout status --watch", err=True)
    recorded = follower.load()
    code = exit_code(ended, recorded.spec.version, version)
    if code == 0 and not detach:
        with LocalWiring(recorded, state) as wired:
            if problem := wired.unreached(recorded.status.stable_version or ""):
                raise RouterUnavailable(problem)
    return finish(recorded, code, output, version)


def refuse_beside_another(store: SqliteStore, name: str, state: Path) -> None:
    """Raise Busy where a controller that is no daemon carries the rollout out: no daemon would take it up meanwhile."""
    from rollout.errors import Busy

    deadline = time.monotonic() + LEASE_CHANGES_HANDS_S
    while holder := _holder_beside_daemon(store, name, state):
        if time.monotonic() > deadline:
            remedy = "End that one (Ctrl-C), then start again; or follow it with rollout status --watch"
            raise Busy(f"a controller in the foreground ({holder}) carries out {name} already, not a daemon. {remedy}")
        time.sleep(HAND_OVER_POLL_S)


def _holder_beside_daemon(store: SqliteStore, name: str, state: Path) -> str:
    """Return who carries a rollout out, unless it is the daemon or nobody."""
    from rollout.local.daemon_lock import running

    row, daemon = store.get(name), running(state)
    holder = row.holder if row is not None else ""
    return "" if daemon is not None and holder == f"pid {daemon.pid}" else holder


def _is_taken(store: SqliteStore, name: str, version: str, last: int) -> bool:
    """Whether a controller has the rollout in its hands and has seen what is wanted."""
    from rollout.engine.eligibility import starts_by_itself
    from rollout.model.status.vocabulary import Phase

    row = store.get(name)
    if row is None or not row.holder:
        return False
    status = row.rollout.status
    begun = status.is_active and status.candidate_version == version
    busy = status.is_active and status.phase is not Phase.DRAINING
    return begun or (store.last_decision(name) > last) or not (busy or starts_by_itself(status, version))
