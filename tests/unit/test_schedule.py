"""When samples are taken: by the interval, and so that a step lasts what it declares."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from rollout.engine.analysis.schedule import SOONEST_S, next_sample
from rollout.model.api.policy import Evidence
from rollout.model.status.release import Release
from rollout.testing import EPOCH
from tests.world import World, policy

SETTINGS = Evidence.model_validate({"sampleEvery": "30s"})


def at(seconds: float):
    return EPOCH + timedelta(seconds=seconds)


def due_s(now_s: float, *, held_s: float, needed: int, window_s: float | None = 0.0, gap_s: float = 0.0) -> float:
    """How long after `now` the next sample is due."""
    release = Release(candidate_version="v2", window_since=None if window_s is None else at(window_s), gap_s=gap_s)
    return (next_sample(release, SETTINGS, held_s, needed, at(now_s)) - at(now_s)).total_seconds()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"now_s": 0, "held_s": 20, "needed": 3, "window_s": 10}, 10.0),  # the window begins with a sample
        ({"now_s": 0, "held_s": 20, "needed": 3, "window_s": 60}, 30.0),
        ({"now_s": 10, "held_s": 21, "needed": 3, "window_s": 10}, 7.0),  # three fit, and the last one is at the end
        ({"now_s": 17, "held_s": 21, "needed": 2, "window_s": 10}, 7.0),
        ({"now_s": 0, "held_s": 300, "needed": 3}, 30.0),  # where there is time, the interval
        ({"now_s": 0, "held_s": 100, "needed": 3}, 25.0),  # the last one falls on the end
        ({"now_s": 90, "held_s": 100, "needed": -2}, 10.0),
        ({"now_s": 100, "held_s": 100, "needed": 0}, 30.0),  # waiting for evidence: the interval
        ({"now_s": 0, "held_s": 0, "needed": 3}, 30.0),
        ({"now_s": 0, "held_s": 1.5, "needed": 3}, SOONEST_S),  # no source has something new all the time
        ({"now_s": 20, "held_s": 20, "needed": 3, "gap_s": 15}, 5.0),  # what was not seen does not count
        ({"now_s": 0, "held_s": 20, "needed": 3, "window_s": None}, 30.0),
    ],
    ids=str,
)  # fmt: skip
def test_the_next_sample_is_due(case, expected):
    assert due_s(**case) == pytest.approx(expected)


@pytest.mark.parametrize("every", ["5s", "10s", "30s", "60s"])
@pytest.mark.parametrize(("warm_up_s", "held_s"), [(10, 20), (0, 20), (20, 60), (30, 300)])
def test_a_step_lasts_its_warm_up_and_what_it_declares(every, warm_up_s, held_s):
    """With `sampleEvery: 30s` a step of 20 s and its warm-up of 10 s took two minutes."""
    steps = [{"weight": "10%", "for": f"{held_s}s"}, {"weight": "50%", "for": f"{held_s}s"}]
    evidence = {"sampleEvery": every, "warmUp": f"{warm_up_s}s"}
    world = World(policy(canary={"steps": steps, "bake": {"for": f"{held_s}s"}}, evidence=evidence), rate=200.0)
    passed = []
    while world.status.phase != "Draining" and len(passed) < 10 and world.clock.at < at(6000):
        before = world.status
        plan = world.reconcile()
        if (before.phase, before.latest.step) != (plan.status.phase, plan.status.latest.step):
            passed.append((str(plan.status.phase), world.clock.at))
        world.pass_s(min(plan.requeue_after_s or 1.0, 2.0))
    moments = [moment for phase, moment in passed if phase in ("Shifting", "Baking", "Draining")]
    lasted = [(after - before).total_seconds() for before, after in itertools.pairwise(moments)]
    assert len(lasted) == 3, passed
    for seconds in lasted:
        assert warm_up_s + held_s <= seconds + 0.01 and seconds <= warm_up_s + held_s + 2.0, lasted


def test_a_long_step_is_sampled_no_more_often_than_the_interval_says():
    steps = [{"weight": "10%", "for": "20m"}]
    world = World(
        policy(canary={"steps": steps, "bake": {"for": "1m"}}, evidence={"sampleEvery": "30s", "warmUp": "30s"})
    )
    world.run(1200)
    samples = [decision for plan in world.plans for decision in plan.decisions if decision.kind == "sample"]
    assert 38 <= len(samples) <= 42
