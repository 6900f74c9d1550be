"""The main job, end to end: real LangGraph agents, a real Envoy, users, and the controller."""

import json
import signal

import pytest

from tests import outputs
from tests.integration.real import needs_envoy, needs_langgraph, processes_with, rollout
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy, needs_langgraph]

TIMEOUT_S = 600


@pytest.fixture
def left_running():
    """What runs of a demo, apart from what some earlier, broken run may have left on this machine."""
    before = set(processes_with("rollout-demo-"))
    return lambda: [each for each in processes_with("rollout-demo-") if each not in before]


def test_the_tour_shows_a_blocked_version_a_promotion_a_drain_an_undo_and_a_quiet_failure(tmp_path, left_running):
    done = rollout("demo", cwd=tmp_path)
    out, err = done.communicate(timeout=TIMEOUT_S)
    assert done.returncode == 0, err
    told = [line for line in err.splitlines() if line.startswith("$ ")]
    shown = ["start v4", "start v2", "drain v1", "undo", "start v3", "explain"]
    assert told == [f"$ rollout {verb}" for verb in shown]
    results = [line.split(":")[0] for line in out.splitlines() if line.startswith(("v1 ", "v2 ", "v3 ", "undo "))]
    assert results[0].startswith("v2 is promoted") and results[2].startswith("undo support-agent")
    assert results[1] == "v1 is drained", "its conversations stayed on it, and ended there"
    assert "v1 is draining: 3 conversations" in err and "They went on with v1" in err
    assert any(line.startswith("v3 was rolled back") and "task-success" in line for line in out.splitlines())
    blocked = next(line for line in out.splitlines() if line.startswith("v4 was stopped by a gate"))
    assert "/nodes/approve" in blocked and "3 live conversations are affected" in blocked
    assert "worse" in out and "difference" in out, "explain gives the numbers"
    assert ", none lost" in err, "no request was lost by the shifting"
    assert "moved with the weight" not in err, "no conversation has seen two versions"
    assert left_running() == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("strategy", "candidate", "code", "culprit"),
    [
        ("canary", "slow", 3, "latency"),
        ("blueGreen", "good", 0, None),
    ],
)
def test_the_demo_ends_as_the_candidate_deserves(strategy, candidate, code, culprit, tmp_path, left_running):
    done = rollout("demo", "--strategy", strategy, "--candidate", candidate, "-o", "json", cwd=tmp_path)
    out, err = done.communicate(timeout=TIMEOUT_S)
    assert done.returncode == code, err
    document = outputs.document(out, "Rollout")
    status = document["status"]
    if culprit is None:
        assert status["stableVersion"] == "v2" and "is promoted" in document["sentence"]
    else:
        assert status["stableVersion"] == "v1" and culprit in status["culprits"]
        assert culprit in document["sentence"] and "Evidence" in document["sentence"]
    assert ", none lost" in err, "no request was lost by the shifting"
    changes = [line for line in err.splitlines() if "support-agent" in line]
    assert len(changes) >= 6 and all(line[2] == ":" for line in changes), "one line per change, with its time"
    assert err.strip().splitlines()[-1].startswith("users:") or "(exit" in err
    assert left_running() == [], "nothing is left running"
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_would_end_waiting_conversations_gets_no_traffic_at_all(tmp_path, left_running):
    done = rollout("demo", "--candidate", "incompatible", "-o", "json", cwd=tmp_path)
    out, err = done.communicate(timeout=TIMEOUT_S)
    assert done.returncode == 3, err
    status = json.loads(out)["status"]
    assert status["reason"] == "StateIncompatible" and status["result"] == "stopped-by-a-gate"
    assert status["traffic"]["wantedBp"] == 0 and status["state"]["looked"]["waiting"] == {"approve": 3}
    assert ", none lost" in err and left_running() == []


def test_ctrl_c_leaves_nothing_running(tmp_path, left_running):
    started = rollout("demo", cwd=tmp_path, start_new_session=True)
    eventually(lambda: len(left_running()) >= 3, 60, "the stage was not set")
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=300)
    assert started.returncode == 130, err
    assert left_running() == []


def test_on_a_terminal_the_screen_is_live_and_given_back_in_order(tmp_path, left_running):
    """A pseudo-terminal 80 columns wide, killed half-way with Ctrl-C: frames, then a visible cursor, exit 130."""
    import os
    import pty
    import struct
    import subprocess
    import sys
    import termios
    from fcntl import ioctl

    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    started = subprocess.Popen(
        [sys.executable, "-m", "rollout.cli.app", "demo"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    seen = bytearray()
    try:
        while b"proved?" not in seen or b"why " not in seen:
            seen += os.read(ours, 65536)
            assert len(seen) < 5_000_000
        started.send_signal(signal.SIGINT)
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:
                break
            if not more:
                break
            seen += more
        assert started.wait(180) == 130
    finally:
        os.close(ours)
        if started.poll() is None:
            started.kill()
    text = seen.decode(errors="replace")
    assert "task-success" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is visible again"
    assert left_running() == []
