"""When samples are taken: by the interval, and so that a step lasts what it declares."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from rollout.engine.analysis.schedule import SOONEST_S, at_once, moved_far, next_sample
from rollout.engine.analysis.verdict import Thresholds
from rollout.model.api.policy import Evidence
from rollout.model.status.release import Release
from rollout.testing import EPOCH
from rollout.testing.users import Behaviour
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


@pytest.mark.parametrize("began_s", [0.0, 3.0, 14.9, 15.1, 29.0])
def test_samples_that_share_a_source_fall_together_one_interval_apart(began_s):
    """One query then serves all of them."""
    release, at_s, moments = Release(candidate_version="v2", window_since=at(0)), began_s, []
    for _ in range(4):
        due = next_sample(release, SETTINGS, 36_000, -2, at(at_s), is_shared=True)
        at_s = (due - EPOCH).total_seconds()
        moments.append(at_s)
    assert all(seconds % 30 == 0 for seconds in moments)
    assert 0 < moments[0] - began_s <= 45 and [b - a for a, b in itertools.pairwise(moments)] == [30.0] * 3


@pytest.mark.parametrize(
    ("now_s", "held_s", "needed"), [(7, 20, 3), (7, 50, 2), (17, 62, 1), (0, 8, 1)], ids=str
)  # fmt: skip
def test_a_step_that_ends_soon_is_sampled_at_its_end_whoever_shares_its_source(now_s, held_s, needed):
    release = Release(candidate_version="v2", window_since=at(now_s))
    seconds, taken = now_s, 0
    while seconds < now_s + held_s:
        due = next_sample(release, SETTINGS, held_s, needed - taken, at(seconds), is_shared=True)
        seconds, taken = (due - EPOCH).total_seconds(), taken + 1
    assert seconds == pytest.approx(now_s + held_s, abs=SOONEST_S) and taken >= needed


@pytest.mark.parametrize(
    ("before_e", "after_e", "far"),
    [
        (1.0, 9.0, False),
        (1.0, 11.0, True),
        (0.01, 0.9, False),  # what is missing counts from where it stood
        (0.01, 1.1, True),
        (50.0, 75.0, True),
        (1.0, 100.0, False),  # that decides: nothing is missing
        (20.0, 5.0, False),
        (1.0, 1.0, False),
    ],
)
def test_a_sample_moves_the_evidence_far_by_more_than_half_of_what_is_missing(before_e, after_e, far):
    assert moved_far(before_e, after_e, threshold_e=100.0) is far


def test_after_a_sample_that_moved_the_evidence_far_the_next_one_comes_at_once():
    assert at_once(SETTINGS, at(30), at(0)) == at(SOONEST_S)
    assert at_once(SETTINGS, at(0.4), at(0)) == at(0.4)


def test_a_candidate_that_fails_is_sampled_at_once_while_its_next_sample_may_decide():
    steps = [{"weight": "50%", "for": "1h"}]
    followed = []
    for seed in range(8):
        settings = policy(canary={"steps": steps}, evidence={"sampleEvery": "30s", "warmUp": "0s"})
        world = World(settings, rate=2.0, seed=seed)
        world.run(300, until="Observing")
        world.run(120)
        world.behaviour["v2"] = Behaviour(tasks=0.25)
        far_at, limit = None, world.clock.at + timedelta(seconds=1200)
        while world.status.phase == "Observing" and world.clock.at < limit:
            before = world.status.latest
            plan = world.reconcile()
            after = plan.status.latest
            if after.sampled_at != before.sampled_at:
                if far_at is not None:
                    followed.append((world.clock.at - far_at).total_seconds())
                far = moved_far(before.harm_e, after.harm_e, Thresholds.of(settings.evidence, 0).harm)
                far_at = world.clock.at if far else None
            world.pass_s(min(plan.requeue_after_s or 0.5, 0.5))
        assert world.status.phase == "RollingBack", seed
    assert followed and max(followed) <= 2.0, followed
