"""Steering when things hang: a controller that is stopped, and a disk that is full."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.local.wiring import LocalWiring
from tests.integration.agents import LONG
from tests.integration.real import needs_envoy, rollout
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy]

NAME = "agent"


@contextlib.contextmanager
def releasing(place):
    """A release of v2 under way, with a controller in the foreground that has moved traffic already."""
    place.add(NAME, LONG)
    place.run("start", "v1", "--stable", "v1", name=NAME)
    file = str(place.directory / f"{NAME}.yaml")
    controller = rollout("start", "v2", "-f", file, "--state", str(place.state), cwd=place.directory)
    try:
        eventually(lambda: effective(place.state) > 0, 180, "no traffic moves to the candidate")
        yield controller
    finally:
        with contextlib.suppress(ProcessLookupError):
            controller.send_signal(signal.SIGCONT)
        controller.kill()
        controller.communicate(timeout=60)


def effective(state) -> int:
    """The candidate's share, by Envoy's own word."""
    row = SqliteStore(state).get(NAME)
    if row is None:
        return 0
    with LocalWiring(row.rollout, state) as wired:
        return wired.router.observe().weight_bp or 0


def test_an_abort_takes_over_from_a_controller_that_is_stopped(place):
    with releasing(place) as controller:
        controller.send_signal(signal.SIGSTOP)
        err = place.run("abort", "-r", "it hangs")
        assert "was ended" in err and controller.wait(60) == -signal.SIGKILL
        assert effective(place.state) == 0
        assert place.status(NAME)["phase"] == "RolledBack"


HOLDER = """
import sqlite3, sys, time
from pathlib import Path
from rollout.adapters.storage.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
row = store.get("agent")
held = store.hold(row.rollout.metadata, lambda recorded: recorded)
database = sqlite3.connect(store.path, isolation_level=None)
database.execute("PRAGMA locking_mode = EXCLUSIVE")
database.execute("BEGIN EXCLUSIVE")
database.execute("UPDATE rollouts SET holder = holder")
print("locked", flush=True)
time.sleep(600)  # rollout
"""


WRITER = HOLDER.replace("PRAGMA locking_mode = EXCLUSIVE", "PRAGMA synchronous = FULL").replace(
    "EXCLUSIVE", "IMMEDIATE"
)
"""It hangs in the middle of a write: the store can be read, and not written."""


@pytest.mark.parametrize("hanging", [HOLDER, WRITER], ids=["with the store locked", "in the middle of a write"])
def test_an_abort_takes_over_from_a_controller_that_hangs(place, hanging):
    with releasing(place) as controller:
        controller.send_signal(signal.SIGKILL)
        controller.wait(60)
        words = [sys.executable, "-c", hanging, str(place.state)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
            try:
                assert holder.stdout.readline() == "locked\n"
                err = place.run("abort", "-r", "it hangs")
                assert "has the store locked" in err and holder.wait(60) == -signal.SIGKILL
            finally:
                holder.kill()
        assert effective(place.state) == 0 and place.status(NAME)["phase"] == "RolledBack"


def test_an_abort_moves_the_traffic_back_where_a_command_can_be_noted_but_no_status_recorded(place):
    with releasing(place) as controller:
        controller.kill()
        controller.communicate(timeout=60)
        with contextlib.closing(sqlite3.connect(SqliteStore(place.state).path)) as database:
            full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            database.execute(f"CREATE TRIGGER full BEFORE INSERT ON decisions {full}")
        err = place.run("abort", "-r", "no room")
        assert "gets no more traffic" in err and effective(place.state) == 0
        assert place.status(NAME)["phase"] != "RolledBack"
        with contextlib.closing(sqlite3.connect(SqliteStore(place.state).path)) as database:
            database.execute("DROP TRIGGER full")
        place.run("start", "v2", name=NAME, code=4)
        status = place.status(NAME)
        assert status["phase"] == "RolledBack" and status["lastCommand"]["reason"] == "no room"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few megabytes, and how to fill it and to make room."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    filler = place / "filler"

    def fill():
        for size in (65_536, 512):
            with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
                while True:
                    file.write(b"x" * size)
        assert shutil.disk_usage(place).free == 0

    yield place / "state", fill, filler.unlink
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("with_controller", [False, True], ids=["nobody carries it out", "a controller is at work"])
def test_on_a_full_disk_status_and_abort_work_and_the_abort_is_recorded_later(small_disk, place, with_controller):
    place.state, fill, make_room = small_disk
    with releasing(place) as controller:
        if not with_controller:
            controller.kill()
            controller.communicate(timeout=60)
        fill()
        assert '"v2"' in place.run("status", "-o", "json")
        for verb in (["explain", NAME], ["history", NAME], ["list"]):
            place.run(*verb)
        err = place.run("abort")
        assert "gets no more traffic" in err and effective(place.state) == 0
        make_room()
        if with_controller:
            controller.communicate(timeout=180)
            assert controller.returncode == 4
        else:
            place.run("start", "v2", name=NAME, code=4)
        status = place.status(NAME)
        assert (status["phase"], status["result"]) == ("RolledBack", "aborted") and effective(place.state) == 0
        assert not SqliteStore(place.state).has_note(NAME)
