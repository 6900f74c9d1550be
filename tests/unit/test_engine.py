"""A release as the engine decides it: steps, evidence, promotion, rollback."""

import pytest

from rollout.engine.effects import SetWeight
from rollout.model.status.evidence import KpiVerdict
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.world import Behaviour, World, policy

HOUR = 3600.0


def weights(world: World) -> list[int]:
    """The candidate's weights in the order they were written, repeats left out."""
    seen: list[int] = []
    for weight in world.router.applied:
        if weight.candidate == "v2" and (not seen or seen[-1] != weight.weight_bp):
            seen.append(weight.weight_bp)
    return seen


def test_a_good_candidate_climbs_every_step_and_is_promoted():
    world = World()
    status = world.run(4 * HOUR, until=Phase.STABLE)
    while world.status.phase is not Phase.STABLE or world.status.latest.result is None:
        status = world.run(2 * HOUR)
    assert status.latest.result is Result.PROMOTED
    assert status.stable_version == "v2" and status.previous_version == "v1"
    assert weights(world) == [0, 1000, 2500, 5000, 10_000]
    assert world.router.effective == SetWeight("v2")
    carried_out = [effect for decision in world.status_store.decisions for effect in decision.effects]
    assert "v2 at 10 %, v1 the rest" in carried_out and "all traffic to v2" in carried_out
    assert "v2 is promoted" in status.message and " of " in status.message


def test_a_candidate_that_fails_tasks_while_answering_is_rolled_back_with_the_numbers():
    world = World()
    world.behaviour["v2"] = Behaviour(tasks=0.20)
    status = world.run(4 * HOUR, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.ROLLED_BACK and status.reason is Reason.WORSE
    assert status.latest.culprits == ("tasks",)
    bad, all_ = status.latest.evidence["tasks"].bad_c, status.latest.evidence["tasks"].all_c
    assert f"v2 {bad:.0f} of {all_:.0f}" in status.message and "Evidence" in status.message
    assert world.router.effective == SetWeight("v1", "v2", 0)


def test_what_hits_both_versions_is_not_the_candidates_fault():
    world = World(rate=50)
    world.run(60, until=Phase.OBSERVING)
    world.behaviour["v1"] = world.behaviour["v2"] = Behaviour(errors=0.3, tasks=0.4)
    world.run(10 * 60)
    assert world.status.phase not in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


def test_a_regression_that_begins_at_full_traffic_is_found_against_the_frozen_reference():
    world = World(policy(canary={"steps": [{"weight": "50%", "for": "1m"}], "bake": {"for": "1h"}}), rate=50)
    world.run(4 * HOUR, until=Phase.BAKING)
    world.behaviour["v2"] = Behaviour(tasks=0.3)
    status = world.run(HOUR, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.ROLLED_BACK
    assert "reference: frozen" in status.message
    assert status.stable_version == "v1"


def test_without_evidence_nothing_is_promoted_and_the_policy_pauses():
    world = World(rate=0.05)
    status = world.run(6 * HOUR, until=Phase.PAUSED, every_s=5)
    assert status.reason is Reason.UNDECIDED
    assert status.stable_version == "v1"
    assert "undecided after" in status.message


@pytest.mark.parametrize(("undecided", "phase"), [("rollback", Phase.ROLLED_BACK), ("advance", Phase.PAUSED)])
def test_undecided_reacts_as_declared_but_never_into_promotion(undecided, phase):
    world = World(policy(reactions={"undecided": undecided}), rate=0.05)
    status = world.run(8 * HOUR, until=phase, every_s=5)
    assert status.phase is phase
    assert status.latest.result is not Result.PROMOTED
    if undecided == "advance":
        assert status.latest.step == 2, "the step before the last was passed, the last was not"


def test_a_weight_is_asked_for_in_the_status_before_it_is_written_to_the_router():
    world = World()
    world.router.down = True
    world.run(30)
    world.router.down = False
    world.run(30, until=Phase.SHIFTING)
    before = len(world.router.applied)
    world.status_store.broken = True
    with pytest.raises(Exception, match="disk full"):
        world.run(10)
    assert len(world.router.applied) == before, "no effect without its record"


def test_another_version_in_mid_flight_first_goes_back_to_stable():
    world = World()
    world.run(HOUR, until=Phase.OBSERVING)
    world.declare(version="v3")
    world.run(120, until=Phase.PREFLIGHT)
    back = world.router.applied.index(SetWeight("v1", "v2", 0), 2)
    assert all(weight.candidate != "v3" for weight in world.router.applied[: back + 1])
    assert world.status.candidate_version == "v3" and world.status.latest.evidence["tasks"].all_c == 0
    world.run(60, until=Phase.OBSERVING)
    assert world.router.effective == SetWeight("v1", "v3", 1000)


def test_an_edit_of_the_policy_in_mid_flight_counts_next_time():
    world = World()
    world.run(HOUR, until=Phase.OBSERVING)
    world.policy = policy(canary={"steps": [{"weight": "90%", "for": "1m"}]})
    world.run(10 * 60)
    assert 2500 in weights(world) and 9000 not in weights(world)


def test_what_happened_in_the_warm_up_is_no_evidence_even_if_it_was_read_late():
    world = World(rate=50)
    world.behaviour["v2"] = Behaviour(tasks=1.0)
    world.metrics.failing = set()
    world.run(60, until=Phase.SHIFTING)
    world.metrics.failing = {"tasks"}
    world.run(21)
    world.behaviour["v2"] = Behaviour()
    world.run(5)
    world.metrics.failing = set()
    world.run(20)
    assert world.status.latest.evidence["tasks"].bad_c < 20


def test_an_edit_of_a_kpi_in_mid_flight_does_not_blind_the_rollout():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    kpis = [{"name": "renamed", "bad": "a", "total": "b", "margin": {"absolute": "3%"}}]
    world.policy = policy(kpis=kpis)
    world.run(60)
    assert all(state.verdict is not KpiVerdict.SOURCE_ERROR for state in world.status.latest.evidence.values())


def test_requests_that_outlast_the_drain_are_told_as_such():
    world = World()
    world.router.active = {"v1": 2}
    world.run(6 * HOUR, until=Phase.DRAINING)
    world.run(HOUR, until=Phase.STABLE)
    assert any("2 requests on v1 are still under way" in decision.message for decision in world.status_store.decisions)


def test_worse_can_freeze_or_pause_instead_of_rolling_back():
    for reaction, phase in (("freeze", Phase.FROZEN), ("pause", Phase.PAUSED)):
        world = World(policy(reactions={"worse": reaction}), rate=50)
        world.behaviour["v2"] = Behaviour(tasks=0.4)
        status = world.run(2 * HOUR, until=phase)
        assert status.phase is phase and status.reason is Reason.WORSE
        held = world.router.effective
        world.run(600)
        assert world.router.effective == held and world.status.phase is phase


def test_the_old_version_is_kept_in_the_route_until_its_requests_have_ended():
    world = World()
    world.router.active = {"v1": 2}
    world.run(6 * HOUR, until=Phase.DRAINING)
    world.run(120)
    assert world.status.phase is Phase.DRAINING and "2 requests" in world.status.next
    assert world.router.effective == SetWeight("v1", "v2", 10_000)
    world.router.active = {"v1": 0}
    world.run(5)
    assert world.status.phase is Phase.STABLE and world.router.effective == SetWeight("v2")


def test_an_advisory_kpi_neither_rolls_back_nor_blocks():
    kpis = [
        {"name": "errors", "bad": "a", "total": "b", "margin": {"absolute": "3%"}},
        {"name": "tasks", "bad": "c", "total": "d", "margin": {"absolute": "1%"}, "advisory": True},
    ]
    world = World(policy(kpis=kpis), rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(6 * HOUR, until=Phase.STABLE, every_s=5)
    assert world.status.latest.result is Result.PROMOTED


def test_the_only_version_there_is_becomes_stable_and_gets_everything():
    world = World(version="v1", backends={"endpoints": [{"version": "v1", "url": "http://v1:80"}]})
    world.status_store.rollout = type(world.status_store.rollout)(
        world.status_store.rollout.metadata,
        world.status_store.rollout.spec,
        world.status.model_copy(update={"stable_version": None}),
    )
    world.router.effective = None
    world.run(5)
    assert world.status.stable_version == "v1" and world.router.effective == SetWeight("v1")


def test_every_rollout_tells_the_same_story_again():
    """The same facts give the same plan, to the last bit."""
    first, second = World(seed=5), World(seed=5)
    for world in (first, second):
        world.behaviour["v2"] = Behaviour(tasks=0.1)
        world.run(1800)
    assert first.status == second.status
