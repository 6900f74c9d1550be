"""SIGKILL at any moment and start again: same step, same evidence, no weight above the step's."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.demo.stage import Stage, stage
from tests.integration.real import needs_envoy, needs_langgraph, rollout, status_of
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy, needs_langgraph]

ALLOWED = {"Preflight": 0, "RollingBack": 0, "RolledBack": 0, "Stable": 10_000, "Baking": 10_000, "Draining": 10_000}
STEPS = (1000, 2500, 5000)
KILLS = 8


def end(built: Stage, state: Path) -> None:
    """Leave nothing running, also where a test failed half-way: the router stops only once no rollout is under way."""
    for verb in (("abort",), ("router", "stop")):
        rollout(*verb, "--state", str(state), cwd=built.directory).communicate(timeout=180)


def bp(status: dict) -> int:
    return status["traffic"]["wantedBp"]


def recorded(state) -> str:
    """What is written down of the rollout: whoever carries it out changes that at each look."""
    row = SqliteStore(state).get("support-agent")
    return row.rollout.status.model_dump_json(by_alias=True, exclude_none=True) if row else ""


def seen(state) -> dict:
    """The same, as `status -o json` has it: read from the store itself, since tests look many times."""
    return json.loads(recorded(state))


def evidence(state) -> float:
    """How many outcomes were counted so far."""
    row = SqliteStore(state).get("support-agent")
    return sum(each.all_c + each.all_s for each in row.rollout.status.latest.evidence.values()) if row else 0.0


def test_a_controller_that_is_killed_again_and_again_still_finishes_the_job():
    with stage() as built:
        built.agents({"v1": "good", "v2": "good"})
        state = built.directory / "state"
        first = rollout(
            "start", "v1", "--stable", "v1", "-f", str(built.file), "--state", str(state), cwd=built.directory
        )
        _, err = first.communicate(timeout=180)
        assert first.returncode == 0, err
        built.load(60.0)
        start = ("start", "v2", "-f", str(built.file), "--state", str(state), "-o", "json")
        chance = random.Random(4)
        step, counted = 0, 0.0
        try:
            for kill in range(KILLS):
                before = recorded(state)
                running = rollout(*start, cwd=built.directory)
                if kill % 2:  # killed once it has counted something, or as soon as it has written anything
                    eventually(lambda counted=counted: evidence(state) > counted, 240, "nothing is counted")
                else:
                    eventually(lambda before=before: recorded(state) != before, 120, "the controller does nothing")
                time.sleep(chance.uniform(0.0, 1.5))
                running.send_signal(signal.SIGKILL)
                running.communicate(timeout=180)
                status = seen(state)
                at_most = ALLOWED.get(status["phase"], STEPS[status["step"]])
                assert bp(status) <= at_most
                assert status["step"] >= step, "no step is lost"
                now = sum(kpi["allC"] + kpi["allS"] for kpi in status["evidence"].values())
                assert now >= counted, "no evidence is lost"
                step, counted = status["step"], now
                assert seen(state) == status, "nobody writes while nobody holds it"
            assert counted > 0, "it went on from where it was, each time"
            last = rollout(*start, cwd=built.directory)
            out, err = last.communicate(timeout=400)
            assert last.returncode == 0, err
            status = json.loads(out)["status"]
            assert status["stableVersion"] == "v2"
            final = sum(kpi["allC"] + kpi["allS"] for kpi in status["evidence"].values())
            totals = built.end_load()
            assert totals["lost"] == 0, "users noticed nothing of eight dead controllers"
            # Each of three KPIs counts each request once; counting anything twice would show here.
            assert final <= 3 * totals["requests"] * 1.01
        finally:
            end(built, state)


def test_verbs_steer_a_running_controller_and_an_abort_works_without_one():
    with stage() as built:
        built.agents({"v1": "good", "v2": "good"})
        state = built.directory / "state"
        common = ("-f", str(built.file), "--state", str(state))
        running = rollout("start", "v2", *common, cwd=built.directory)
        built.load(40.0)
        try:
            eventually((state / "rollouts.db").exists, 180)
            eventually(lambda: recorded(state) and seen(state)["phase"] == "Observing", 180)
            second = rollout("start", "v2", *common, cwd=built.directory)
            _, err = second.communicate(timeout=180)
            assert second.returncode == 5 and "another controller" in err
            paused = rollout("pause", "-r", "lunch", "--state", str(state), cwd=built.directory)
            out, _ = paused.communicate(timeout=180)
            assert paused.returncode == 0 and "pause support-agent" in out
            assert status_of(built.directory, state)["phase"] == "Paused"
            refused = rollout("approve", "--state", str(state), cwd=built.directory)
            out, _ = refused.communicate(timeout=180)
            assert refused.returncode == 2 and "no approval is pending" in out
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=180)
            assert running.returncode == 130 and "stays at" in out, err
            aborted = rollout("abort", "-r", "enough", "--state", str(state), cwd=built.directory)
            out, err = aborted.communicate(timeout=180)
            assert aborted.returncode == 0 and "go back to v1" in out and "enough" in err
            status = status_of(built.directory, state)
            assert status["phase"] == "RolledBack" and status["traffic"]["appliedBp"] == 0
        finally:
            if running.poll() is None:
                running.kill()
                running.communicate()
            end(built, state)
