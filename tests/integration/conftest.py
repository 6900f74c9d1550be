"""Tests with real processes take turns, also across pytest's workers: two cores bear one that runs LangGraph agents, one
with daemons and one with light parts at a time."""

import fcntl
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import TURNS
from tests.integration.place import Place


@pytest.fixture(autouse=True)
def _in_turns(request):
    """Marked `alone`, a test waits for all turns, always in the same order."""
    mine = TURNS.get(request.module.__name__.rpartition(".")[2], "light")
    with ExitStack() as turns:
        for turn in ("daemon", "heavy", "light") if request.node.get_closest_marker("alone") else (mine,):
            lock = turns.enter_context((Path(tempfile.gettempdir()) / f"agent-rollout-{turn}-parts.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def place(tmp_path):
    with ExitStack() as stack:
        made = Place(tmp_path, stack)
        stack.callback(made.end)
        yield made
