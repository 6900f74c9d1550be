"""Times in which nobody looked: nothing passes on them, and what happened in them counts all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.model.status.vocabulary import Phase, Reason
from rollout.stats import HARM, PROOF, Increment, RateMargin, rate_evidence, start
from tests.world import Behaviour, World, policy

STEPS = {"steps": [{"weight": "10%", "for": "2m"}, {"weight": "50%", "for": "2m"}], "bake": {"for": "1m"}}


def observing(**changes):
    world = World(policy(canary=STEPS, **changes), rate=20)
    world.run(400, until=Phase.OBSERVING)
    world.run(60)
    assert world.status.phase is Phase.OBSERVING and world.status.latest.step == 0
    return world


def gap(world, seconds):
    """Let users talk while nobody reconciles."""
    for _ in range(round(seconds / 5)):
        world.pass_s(5)


def test_a_gap_is_no_time_at_a_weight_and_three_samples_must_follow_it():
    world = observing()
    gap(world, 600)
    world.run(15)
    assert world.status.latest.step == 0 and world.status.reason in (Reason.HOLDING, Reason.AFTER_GAP)
    assert world.status.latest.samples_in_window <= 2
    at = world.clock.at
    world.run(300, until=Phase.SHIFTING)
    assert (world.clock.at - at).total_seconds() > 20, "it was watched for a while longer"


def test_a_candidate_that_fails_in_a_gap_is_rolled_back_and_passes_nothing():
    world = observing()
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    gap(world, 120)
    steps = set()
    for _ in range(120):
        steps.add(world.reconcile().status.latest.step)
        world.pass_s(1)
        if world.status.phase is Phase.ROLLED_BACK:
            break
    assert world.status.phase is Phase.ROLLED_BACK and steps == {0}


def test_no_step_is_passed_on_a_sample_that_says_more_of_harm_than_one_may():
    increment = Increment(50.0, 100.0, 5.0, 500.0)
    before = start(HARM, restarts=True)
    after = before.after(HARM, rate_evidence(increment, HARM, RateMargin(), 1.0), 10.0)
    assert after.cut and after.e_value == pytest.approx(5.0)
    calm = after.after(HARM, rate_evidence(Increment(1.0, 100.0, 5.0, 500.0), HARM, RateMargin(), 1.0), 10.0)
    assert not calm.cut


def test_the_same_samples_again_are_no_increment():
    """A Prometheus that has just begun anew shows, for minutes, the samples of before."""
    world = observing()
    read = world.metrics.read
    world.metrics.read = lambda *given: replace(read(*given), mark="the same")
    world.run(11)
    samples, counted = world.status.latest.samples_in_window, world.status.latest.evidence["tasks"].all_c
    world.run(200)
    assert world.status.latest.samples_in_window == samples and world.status.latest.evidence["tasks"].all_c == counted
    assert world.status.latest.step == 0, "nothing passes on what was seen before"
    world.metrics.read = read
    world.run(600, until=Phase.SHIFTING)
    assert world.status.latest.step == 1


def test_a_candidate_that_is_down_is_noticed_also_while_its_samples_are_old():
    world = observing()
    read = world.metrics.read
    world.metrics.read = lambda *given: replace(read(*given), mark="the same")
    world.workloads.down = {"v2"}
    world.run(120)
    assert world.status.phase is Phase.ROLLED_BACK and world.status.reason is Reason.CANDIDATE_DOWN


def test_a_sample_counts_from_when_it_was_taken_not_from_when_it_was_read():
    world = observing()
    read = world.metrics.read
    taken = world.clock.at

    def late(*given):
        return replace(read(*given), at=taken)

    world.metrics.read = late
    world.run(11)
    assert world.status.latest.counters.read_at["tasks"] <= taken


@given(*(st.floats(min_value=0.0, allow_nan=False, allow_infinity=True) for _ in range(4)))
def test_no_count_breaks_the_statistics(bad_c, all_c, bad_s, all_s):
    increment = Increment(bad_c, all_c, bad_s, all_s)
    for grid in (HARM, PROOF):
        wealth = start(grid, restarts=True).after(grid, rate_evidence(increment, grid, RateMargin(1.1, 0.01), 2.0), 1.0)
        assert wealth.e_value >= 0.0


def test_a_count_that_is_smaller_than_any_outcome_is_none():
    assert Increment(0.0, 5e-324, 0.0, 5e-324) == Increment(0.0, 0.0, 0.0, 0.0)
    assert Increment(-1.0, float("nan"), 1.0, 2.0) == Increment(0.0, 0.0, 1.0, 2.0)
