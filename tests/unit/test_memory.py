"""How a long-lived process keeps its memory."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys

import pytest

from rollout.runtime.memory import ARENAS, collect_seldom, not_imported

THREADS = """
import ctypes, threading
from rollout.runtime.memory import share_arenas
assert share_arenas()
barrier = threading.Barrier(16)
def take():
    held = [bytes(2000) for _ in range(100)]
    barrier.wait()
    del held
threads = [threading.Thread(target=take) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.fixture
def restored():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("restored")
def test_what_is_there_when_a_process_begins_is_never_looked_through_again():
    usual = gc.get_threshold()[0]
    collect_seldom()
    assert gc.get_threshold()[0] > 10 * usual
    assert gc.get_freeze_count() > 1000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
def test_threads_share_the_memory_that_was_freed():
    command = [sys.executable, "-c", THREADS]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr
    assert 1 <= told.count("Arena") <= ARENAS


def test_a_daemon_does_without_what_draws_for_terminals(tmp_path):
    """It is as large as two dozen rollouts under way."""
    command = [sys.executable, "-X", "importtime", "-m", "rollout", "daemon", "-n", "agents"]
    ended = subprocess.run([*command, "--kubeconfig", tmp_path / "none"], capture_output=True, text=True, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert ended.returncode == 2 and "httpx" in imported
    assert "rich.text" not in imported, "it is asked for, and not there"


def test_what_is_imported_already_stays():
    with not_imported("gc"):
        assert sys.modules["gc"] is gc
    assert sys.modules["gc"] is gc
