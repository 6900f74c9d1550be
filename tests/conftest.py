"""What all tests share."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from rollout.runtime.logs import configure

settings.register_profile(
    "suite",
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fixed", settings.get_profile("suite"), derandomize=True, database=None)
settings.register_profile("quick", settings.get_profile("suite"), phases=[Phase.explicit, Phase.generate])
# `make test` draws fresh examples each time; CI sets "fixed", so that it says the same of one commit twice.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every process that the tests start, and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


TURNS = {"test_demo": "heavy", "test_killed": "heavy", "test_pinned_agents": "heavy", "test_daemon": "daemon"}
"""Tests with real parts take turns (see tests/integration): those of one turn go to one worker, so that none waits idly.
Heavy ones run LangGraph agents; what is not named here is light."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Two more than there are cores: half of what the tests do is waiting, for processes and for time that is real."""
    return len(os.sched_getaffinity(0)) + 2 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadFileScheduling

    class Turns(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = Path(super()._split_scope(nodeid))
            return TURNS.get(file.stem, "light") if file.parent.name == "integration" else str(file)

    return Turns(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def _quiet_logs():
    configure(verbose=False)
