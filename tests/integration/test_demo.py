"""The main job, end to end: real LangGraph agents, a real Envoy, users, and the controller."""

import json
import signal

import pytest

from tests.integration.real import eventually, needs_envoy, needs_langgraph, processes_with, rollout

pytestmark = [pytest.mark.real, needs_envoy, needs_langgraph, pytest.mark.xdist_group("real")]

TIMEOUT_S = 175


@pytest.mark.parametrize(
    ("candidate", "code", "culprit"),
    [("good", 0, None), ("worse", 3, "task-success"), ("slow", 3, "latency"), ("erroring", 3, "errors")],
)
def test_the_demo_ends_as_the_candidate_deserves(candidate, code, culprit, tmp_path):
    done = rollout("demo", "--candidate", candidate, "-o", "json", cwd=tmp_path)
    out, err = done.communicate(timeout=TIMEOUT_S)
    assert done.returncode == code, err
    document = json.loads(out)
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
    assert processes_with("rollout-demo-") == [], "nothing is left running"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing_running(tmp_path):
    started = rollout("demo", cwd=tmp_path, start_new_session=True)
    eventually(lambda: len(processes_with("rollout-demo-")) >= 3, 60, "the stage was not set")
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=30)
    assert started.returncode == 130, err
    assert processes_with("rollout-demo-") == []
