"""Steering when things hang: a controller that is stopped, and a disk that is full."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.demo.stage import stage
from rollout.local.wiring import LocalWiring
from tests.integration.real import needs_envoy, needs_langgraph, rollout, status_of
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy, needs_langgraph]

NAME = "support-agent"


@contextlib.contextmanager
def releasing(state=None):
    """A release of v2 under way, with a controller in the foreground that has moved traffic already."""
    with stage() as built:
        state = state or built.directory / "state"
        built.agents({"v1": "good", "v2": "good"})
        options = ("-f", str(built.file), "--state", str(state))
        first = rollout("start", "v1", "--stable", "v1", *options, cwd=built.directory)
        _, err = first.communicate(timeout=180)
        assert first.returncode == 0, err
        built.load(30.0)
        controller = rollout("start", "v2", *options, cwd=built.directory)
        try:
            eventually(lambda: effective(state) > 0, 180, "no traffic moves to the candidate")
            yield built, state, controller
        finally:
            with contextlib.suppress(ProcessLookupError):
                controller.send_signal(signal.SIGCONT)
            controller.kill()
            controller.communicate(timeout=60)
            for verb in (("abort",), ("router", "stop")):
                rollout(*verb, "--state", str(state), cwd=built.directory).communicate(timeout=180)


def effective(state) -> int:
    """The candidate's share, by Envoy's own word."""
    row = SqliteStore(state).get(NAME)
    if row is None:
        return 0
    with LocalWiring(row.rollout, state) as wired:
        return wired.router.observe().weight_bp or 0


def run(built, state, *arguments):
    process = rollout(*arguments, "--state", str(state), cwd=built.directory)
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err


def test_an_abort_takes_over_from_a_controller_that_is_stopped():
    with releasing() as (built, state, controller):
        controller.send_signal(signal.SIGSTOP)
        code, _, err = run(built, state, "abort", "-r", "it hangs")
        assert code == 0, err
        assert "it was ended" in err and controller.wait(60) == -signal.SIGKILL
        assert effective(state) == 0
        status = status_of(built.directory, state)
        assert status["phase"] == "RolledBack" and status["lastCommand"]["reason"] == "it hangs"


HOLDER = """
import sqlite3, sys, time
from pathlib import Path
from rollout.adapters.storage.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
row = store.get("support-agent")
held = store.hold(row.rollout.metadata, lambda recorded: recorded)
database = sqlite3.connect(store.path, isolation_level=None)
database.execute("PRAGMA locking_mode = EXCLUSIVE")
database.execute("BEGIN EXCLUSIVE")
database.execute("UPDATE rollouts SET holder = holder")
print("locked", flush=True)
time.sleep(600)  # rollout
"""


def test_an_abort_takes_over_from_a_controller_that_hangs_with_the_store_locked():
    with releasing() as (built, state, controller):
        controller.send_signal(signal.SIGKILL)
        controller.wait(60)
        words = [sys.executable, "-c", HOLDER, str(state)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
            try:
                assert holder.stdout.readline() == "locked\n"
                code, _, err = run(built, state, "abort", "-r", "it hangs")
                assert code == 0, err
                assert "has the store locked" in err and holder.wait(60) == -signal.SIGKILL
            finally:
                holder.kill()
        assert effective(state) == 0


def test_an_abort_moves_the_traffic_back_where_a_command_can_be_noted_but_no_status_recorded():
    with releasing() as (built, state, controller):
        controller.kill()
        controller.communicate(timeout=60)
        with contextlib.closing(sqlite3.connect(SqliteStore(state).path)) as database:
            full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            database.execute(f"CREATE TRIGGER full BEFORE INSERT ON decisions {full}")
        code, _, err = run(built, state, "abort", "-r", "no room")
        assert code == 0, err
        assert "gets no more traffic" in err and effective(state) == 0
        assert status_of(built.directory, state)["phase"] != "RolledBack"
        with contextlib.closing(sqlite3.connect(SqliteStore(state).path)) as database:
            database.execute("DROP TRIGGER full")
        code, _, err = run(built, state, "start", "v2", "-f", str(built.file))
        assert code == 4, err
        status = status_of(built.directory, state)
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
def test_on_a_full_disk_status_and_abort_work_and_the_abort_is_recorded_later(small_disk, with_controller):
    state, fill, make_room = small_disk
    with releasing(state) as (built, _, controller):
        if not with_controller:
            controller.kill()
            controller.communicate(timeout=60)
        fill()
        code, out, err = run(built, state, "status", "-o", "json")
        assert code == 0 and "v2" in json.dumps(json.loads(out)), err
        for verb in (["explain", NAME], ["history", NAME], ["list"]):
            assert run(built, state, *verb)[0] == 0, verb
        code, _, err = run(built, state, "abort")
        assert code == 0, err
        assert "gets no more traffic" in err and effective(state) == 0
        make_room()
        if with_controller:
            controller.communicate(timeout=180)
            assert controller.returncode == 4
        else:
            code, _, err = run(built, state, "start", "v2", "-f", str(built.file))
            assert code == 4, err
        status = status_of(built.directory, state)
        assert (status["phase"], status["result"]) == ("RolledBack", "aborted") and effective(state) == 0
        assert not SqliteStore(state).has_note(NAME)
