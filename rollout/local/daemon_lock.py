"""One daemon a state directory: which one runs, starting one in the background."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollout import private_files
from rollout.errors import Busy, StoreUnavailable

LOCK, LOG = "daemon.lock", "daemon.log"
ENDING = "ending"
LOG_MAX_BYTES = 10 * 1024 * 1024
START_TIMEOUT_S = 15.0
_POLL_S = 0.05
_LOCK_TRIES = 20


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """The daemon that has a state directory in its care.

    Attributes:
        pid: None while it starts or ends: ask again in a moment.
    """

    pid: int | None
    ending: bool = False

    def __str__(self) -> str:
        return f"pid {self.pid}" if self.pid is not None else "ending" if self.ending else "starting"


@contextmanager
def only_one(directory: Path) -> Iterator[Callable[[bool], None]]:
    """Be the daemon of a state directory; yields how to say that it is about to end. Raises Busy if another one is."""
    private_files.make_directory(directory)
    with private_files.appending(directory / LOCK) as lock:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(_POLL_S)  # somebody may only be asking whether one runs
        else:
            message = f"a daemon ({running(directory)}) carries out the rollouts in {directory} already"
            raise Busy(f"{message}; end that one first, or name another --state")

        def ending(ends: bool) -> None:
            lock.truncate(0)
            lock.write(ENDING if ends else f"pid {os.getpid()}")
            lock.flush()

        ending(False)
        yield ending


def running(directory: Path) -> RunningDaemon | None:
    """Return which daemon has a state directory in its care; None if none has."""
    try:
        with (directory / LOCK).open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                written = lock.read()
                pid = written.removeprefix("pid ")
                return RunningDaemon(int(pid) if pid.isdigit() else None, ending=written == ENDING)
            return None
    except OSError:
        return None


def ensure(directory: Path) -> RunningDaemon:
    """See that a daemon runs and return which: the one there is, or one in the background that ends once nothing is
    under way. It logs into a file. Raises StoreUnavailable if none comes up.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while (daemon := running(directory)) is not None and daemon.pid is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if daemon is not None:
        return daemon
    log = directory / LOG
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))
    command = [sys.executable, "-P", "-m", "rollout", "daemon", "--state", str(directory), "--until-idle"]
    with private_files.appending(log) as out:
        child = subprocess.Popen(  # noqa: S603  our own module, no shell
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    while time.monotonic() < deadline:
        daemon = running(directory)
        if daemon is not None and daemon.pid is not None:
            return daemon
        if child.poll() is not None and daemon is None:
            break
        time.sleep(_POLL_S)
    raise StoreUnavailable(f"no daemon came up; its last words are in {log}")
