"""Tests with real processes take turns, also across pytest's workers: two cores bear one such test at a time."""

import fcntl
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _one_at_a_time():
    with (Path(tempfile.gettempdir()) / "agent-rollout-real-parts.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
