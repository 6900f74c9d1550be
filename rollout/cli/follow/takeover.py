"""An abort that nobody answers: a controller that hangs is ended, and what cannot be recorded is carried out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.adapters.storage.base import Row
    from rollout.adapters.storage.sqlite import SqliteStore

ENDED_TIMEOUT_S = 10.0
EFFECTIVE_TIMEOUT_S = 20.0
_POLL_S = 0.05


def end_holder(store: SqliteStore, name: str) -> bool:
    """End the controller that holds a rollout and does not answer; whether the rollout can be taken over.

    Nothing is lost by that: what it has decided is recorded before it is done, and a controller may be killed at any
    moment. A daemon is started again, for the other rollouts that it carries out.
    """
    from rollout.local.daemon_lock import ensure, running

    row = store.get(name)
    pid = _pid_of(row) if row is not None else None
    if pid is None or not _is_controller(pid):
        return not store.is_held(name)
    daemon = running(store.directory)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    deadline = time.monotonic() + ENDED_TIMEOUT_S
    while store.is_held(name) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    say(f"the controller (pid {pid}) has not answered: it was ended, and the abort is carried out here", err=True)
    if daemon is not None and daemon.pid == pid:
        with contextlib.suppress(Exception):  # the abort comes first; what else it carried out is told by status
            ensure(store.directory)
    return not store.is_held(name)


def end_whoever_locks(directory: Path) -> bool:
    """End controllers of a store that have it locked and do not let go; whether there was one to end.

    The store cannot be read then. Who they are stands in the files that they hold their leases by. A daemon is started
    again, for the other rollouts that it carries out.
    """
    from rollout.local.daemon_lock import ensure, running

    ended, daemon = False, running(directory)
    for path in sorted(directory.glob("*.lock")):
        pid = _pid_in(path.read_text(encoding="utf-8", errors="replace"))
        if pid is None or pid == os.getpid() or not _is_controller(pid) or not _is_locked(path):
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            say(f"the controller (pid {pid}) has the store locked and does not let go: it was ended", err=True)
            ended = True
            if daemon is not None and daemon.pid == pid:
                with contextlib.suppress(Exception):  # the abort comes first
                    ensure(directory)
    return ended


def _is_locked(path: Path) -> bool:
    with path.open(encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def _pid_of(row: Row) -> int | None:
    return _pid_in(row.holder)


def _pid_in(text: str) -> int | None:
    pid = text.removeprefix("pid ").strip()
    return int(pid) if pid.isdigit() else None


def _is_controller(pid: int) -> bool:
    """Whether a process is one of ours, where the system tells."""
    command = Path(f"/proc/{pid}/cmdline")
    try:
        return b"rollout" in command.read_bytes() if command.parent.parent.exists() else True
    except OSError:
        return False


def send_back_unrecorded(store: SqliteStore, row: Row) -> int:
    """Send all traffic back to stable where the store cannot be written, and see that it is effective.

    Return 0 once it is; 5 where the traffic cannot be moved. The abort stays beside the store, for whoever records it.
    """
    from rollout.engine.effects import SetWeight
    from rollout.engine.routes.wanted import is_effective
    from rollout.engine.transitions import Event, allows
    from rollout.errors import RouterUnavailable
    from rollout.local.wiring import LocalWiring
    from rollout.model.status.conversations import NO_PINS

    status = row.rollout.status
    stable, candidate = status.stable_version, status.candidate_version
    if stable is None or candidate is None or not allows(status.phase, Event.ROLL_BACK):
        say(f"abort {row.rollout.metadata.name}: there is nothing to abort", err=True)
        return 0
    weight = SetWeight(stable, candidate, 0, pins=status.pins or NO_PINS)
    with LocalWiring(row.rollout, store.directory) as wired:
        deadline, problem = time.monotonic() + EFFECTIVE_TIMEOUT_S, ""
        with contextlib.suppress(RouterUnavailable):
            wired.router.apply(weight)
        while not is_effective(weight, (observed := wired.router.observe(),)):
            problem = observed.problem
            if time.monotonic() > deadline:
                say(f"the traffic cannot be moved back: {problem or 'the route is not as it was written'}", err=True)
                return 5
            time.sleep(_POLL_S)
    say(f"{candidate} gets no more traffic, {stable} is stable", err=True)
    say("the store cannot be written: the next controller that can records the abort", err=True)
    return 0
