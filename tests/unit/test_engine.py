"""Whole rollouts through the real loop, in a simulated world."""

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
        if weight.candidate == "v2" and (not seen or seen[-1] != weight.candidate_bp):
            seen.append(weight.candidate_bp)
    return seen


def test_a_good_candidate_climbs_every_step_and_is_promoted():
    world = World()
    status = world.run(4 * HOUR, until=Phase.STABLE)
    while world.status.phase is not Phase.STABLE or world.status.latest.result is None:
        status = world.run(2 * HOUR)
    assert status.latest.result is Result.PROMOTED
    assert status.stable_version == "v2" and status.previous_version == "v1"
    assert weights(world) == [0, 1000, 2500, 5000, 10_000]
    assert world.router.in_force == SetWeight("v2")
    carried_out = [effect for decision in world.records.decisions for effect in decision.effects]
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
    assert world.router.in_force == SetWeight("v1", "v2", 0)


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
    world.records.broken = True
    with pytest.raises(Exception, match="disk full"):
        world.run(10)
    assert len(world.router.applied) == before, "no effect without its record"


def test_a_step_with_an_approval_keeps_its_weight_until_somebody_approves():
    steps = [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m", "approval": "required"}]
    world = World(policy(canary={"steps": steps}))
    status = world.run(HOUR, until=Phase.PAUSED)
    assert status.reason is Reason.APPROVAL and world.router.in_force == SetWeight("v1", "v2", 1000)
    world.command("resume")
    world.run(5)
    assert world.status.last_command and not world.status.last_command.accepted
    world.command("approve")
    world.run(60, until=Phase.OBSERVING)
    assert world.router.in_force == SetWeight("v1", "v2", 5000)


def test_harm_is_still_judged_while_a_step_waits_for_an_approval():
    steps = [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m", "approval": "required"}]
    world = World(policy(canary={"steps": steps}), rate=50)
    world.run(HOUR, until=Phase.PAUSED)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    status = world.run(HOUR, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.ROLLED_BACK


def test_abort_works_with_metrics_and_candidate_down_and_reaches_zero():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.metrics.failing = {"errors", "tasks"}
    world.workloads.down = {"v2"}
    world.command("abort", phase="Preflight", step=9)
    status = world.run(60, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.ABORTED
    assert world.router.in_force == SetWeight("v1", "v2", 0)
    assert "ada" in status.message and "because" in status.message


def test_a_stale_command_is_refused_with_the_reason():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.command("promote", phase=Phase.OBSERVING, step=2)
    world.reconcile()
    outcome = world.status.last_command
    assert outcome and not outcome.accepted and "step 3" in outcome.message
    assert world.status.latest.step == 0


def test_a_command_seen_twice_is_carried_out_once():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    command = world.command("pause")
    world.reconcile()
    assert world.status.phase is Phase.PAUSED
    world.command("resume")
    world.run(3)
    world.records.pending.append(next(each for each in world.records.pending if each.id == command))
    world.run(3)
    assert world.status.phase is Phase.OBSERVING


def test_promote_passes_a_step_by_hand_and_says_so():
    world = World(rate=0.2)
    for _ in range(4):
        world.run(HOUR, until=Phase.OBSERVING if world.status.latest.step < 2 else None, every_s=1)
        if world.status.phase not in (Phase.OBSERVING, Phase.PAUSED, Phase.BAKING):
            break
        world.command("promote")
        world.run(2)
    world.run(HOUR)
    assert world.status.latest.result is Result.PROMOTED
    assert "by hand" in world.status.message


def test_a_retried_version_has_half_the_budget_and_fresh_books():
    world = World(rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.3)
    world.run(2 * HOUR, until=Phase.ROLLED_BACK)
    threshold = world.plans[-1].decisions[-1].threshold_e
    world.run(30)
    assert world.status.phase is Phase.ROLLED_BACK, "nothing starts by itself"
    world.command("retry")
    world.reconcile()
    assert world.status.phase is Phase.PREFLIGHT and world.status.latest.retries == 1
    assert world.status.latest.evidence["tasks"].all_c == 0
    world.run(2 * HOUR, until=Phase.ROLLED_BACK)
    assert world.plans[-1].decisions[-1].threshold_e == pytest.approx(2 * threshold)


def test_another_version_in_mid_flight_first_goes_back_to_stable():
    world = World()
    world.run(HOUR, until=Phase.OBSERVING)
    world.declare(version="v3")
    world.run(120, until=Phase.PREFLIGHT)
    back = world.router.applied.index(SetWeight("v1", "v2", 0), 2)
    assert all(weight.candidate != "v3" for weight in world.router.applied[: back + 1])
    assert world.status.candidate_version == "v3" and world.status.latest.evidence["tasks"].all_c == 0
    world.run(60, until=Phase.OBSERVING)
    assert world.router.in_force == SetWeight("v1", "v3", 1000)


def test_an_edit_of_the_policy_in_mid_flight_counts_next_time():
    world = World()
    world.run(HOUR, until=Phase.OBSERVING)
    world.policy = policy(canary={"steps": [{"weight": "90%", "for": "1m"}]})
    world.run(10 * 60)
    assert 2500 in weights(world) and 9000 not in weights(world)


def test_a_router_that_takes_no_weight_pauses_the_rollout_and_says_so():
    world = World()
    world.run(60, until=Phase.SHIFTING)
    world.router.deaf = True
    status = world.run(HOUR, until=Phase.PAUSED)
    assert status.reason is Reason.TRAFFIC_NOT_SHIFTING
    assert "10 %" in status.message


def test_a_foreign_edit_is_put_back_a_few_times_and_then_freezes():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    for _ in range(10):
        world.router.in_force = SetWeight("v1", "v2", 7000)
        world.run(3)
    assert world.status.phase is Phase.FROZEN and world.status.reason is Reason.WEIGHT_DRIFT
    assert world.router.in_force == SetWeight("v1", "v2", 7000), "frozen: nothing moves by itself"
    world.command("abort")
    world.run(30, until=Phase.ROLLED_BACK)
    assert world.router.in_force == SetWeight("v1", "v2", 0)


def test_a_split_that_is_not_what_was_asked_for_blocks_promotion_but_rolls_nothing_back():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    true_share = world.router.share_of
    world.router.share_of = lambda version: true_share(version) * (0.3 if version == "v2" else 1.0)  # type: ignore[method-assign]
    world.run(3 * HOUR, every_s=5)
    assert world.status.latest.step == 0 and world.status.phase in (Phase.OBSERVING, Phase.PAUSED)
    assert world.status.reason in (Reason.TRAFFIC_NOT_SHIFTING, Reason.SAMPLE_RATIO)


def test_a_candidate_that_stops_answering_is_rolled_back_without_statistics():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.workloads.down = {"v2"}
    status = world.run(120, until=Phase.ROLLED_BACK)
    assert status.reason is Reason.CANDIDATE_DOWN


def test_both_versions_down_is_not_the_candidates_fault():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.workloads.down = {"v1", "v2"}
    world.run(120)
    assert world.status.phase is Phase.OBSERVING


def test_a_source_that_is_down_holds_and_what_happened_meanwhile_is_counted_later():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.run(60)
    before = world.status.latest.evidence["tasks"].all_c
    world.metrics.failing = {"tasks"}
    world.run(10 * 60)
    assert world.status.phase is Phase.OBSERVING and world.status.latest.step == 0
    assert world.status.reason is Reason.SOURCE_ERROR
    assert world.status.latest.evidence["tasks"].verdict is KpiVerdict.SOURCE_ERROR
    assert world.status.latest.evidence["tasks"].all_c == before
    world.metrics.failing = set()
    world.run(11)
    assert world.status.latest.evidence["tasks"].all_c > before + 50 * 600 * 0.1 * 0.8


@pytest.mark.parametrize(
    ("reaction", "phase"),
    [
        ("pause", Phase.PAUSED),
        ({"then": "hold", "after": "15m", "do": "rollback"}, Phase.ROLLED_BACK),
    ],
)
def test_a_source_that_stays_down_is_reacted_to_as_declared(reaction, phase):
    world = World(policy(reactions={"sourceDown": reaction}))
    world.run(10 * 60, until=Phase.OBSERVING)
    world.metrics.failing = {"tasks"}
    began = world.clock.at
    status = world.run(HOUR, until=phase)
    assert status.phase is phase and status.reason is Reason.SOURCE_ERROR
    waited_s = (world.clock.at - began).total_seconds()
    assert waited_s >= (900 if phase is Phase.ROLLED_BACK else 100)


def test_no_outcomes_is_no_data_and_never_success():
    world = World(policy(canary={"steps": [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m"}]}))
    world.run(10 * 60, until=Phase.OBSERVING)
    world.rate = 0.0
    world.run(HOUR)
    assert world.status.reason is Reason.NO_DATA and world.status.latest.step == 0


def test_a_bound_that_both_versions_break_is_the_environment():
    kpis = [
        {"name": "errors", "bad": "a", "total": "b", "margin": {"absolute": "20%"}, "atMost": "5%"},
        {"name": "tasks", "bad": "c", "total": "d", "margin": {"absolute": "20%"}},
    ]
    world = World(policy(kpis=kpis), rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.behaviour["v1"] = world.behaviour["v2"] = Behaviour(errors=0.3)
    world.run(20 * 60)
    assert world.status.phase is Phase.OBSERVING and world.status.reason is Reason.ENVIRONMENT


def test_a_bound_that_only_the_candidate_breaks_rolls_back():
    kpis = [
        {"name": "errors", "bad": "a", "total": "b", "margin": {"absolute": "50%"}, "atMost": "5%"},
        {"name": "tasks", "bad": "c", "total": "d", "margin": {"absolute": "20%"}},
    ]
    world = World(policy(kpis=kpis), rate=50)
    world.behaviour["v2"] = Behaviour(errors=0.15)
    status = world.run(2 * HOUR, until=Phase.ROLLED_BACK)
    assert status.latest.culprits == ("errors",)


def test_a_step_passed_by_hand_without_any_reference_stops_before_promotion():
    """At 100 % with hardly any data of stable, nothing could show that the candidate is worse."""
    world = World(policy(canary={"steps": [{"weight": "50%", "for": "1m"}], "bake": {"for": "1m"}}), rate=0.02)
    world.run(600, until=Phase.OBSERVING)
    world.command("promote")
    world.behaviour["v2"] = Behaviour(errors=1.0, tasks=1.0)
    world.rate = 20
    status = world.run(HOUR, until=Phase.PAUSED)
    assert status.reason is Reason.UNDECIDED and "too little" in status.message
    assert status.stable_version == "v1"


def test_a_router_that_was_down_for_a_moment_late_in_a_step_pauses_nothing():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.rate = 0.01
    world.run(1800)
    world.router.down = True
    world.run(5)
    world.router.down = False
    world.run(60)
    assert world.status.phase is Phase.OBSERVING
    world.router.in_force = SetWeight("v1", "v2", 9000)
    world.run(10)
    assert world.status.phase is Phase.OBSERVING and world.router.in_force == SetWeight("v1", "v2", 1000)
    told = [decision.message for decision in world.records.decisions if decision.kind == "traffic"]
    assert any("does not answer" in message for message in told)
    assert any("somebody else changed the route" in message for message in told)


def test_requests_before_the_weight_came_into_force_say_nothing_about_the_split():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.router.deaf = True
    world.run(HOUR, until=Phase.SHIFTING)
    world.run(100)
    world.router.deaf = False
    world.run(200)
    assert world.status.phase is Phase.OBSERVING and world.status.latest.traffic.effective != "refuted"


def test_a_pause_for_a_wrong_split_can_be_left_once_the_router_is_mended():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    true_share = world.router.share_of
    world.router.share_of = lambda version: true_share(version) * (0.3 if version == "v2" else 1.0)  # type: ignore[method-assign]
    status = world.run(2 * HOUR, until=Phase.PAUSED)
    assert status.reason is Reason.TRAFFIC_NOT_SHIFTING
    del world.router.share_of
    world.command("resume")
    world.run(20 * 60, until=Phase.SHIFTING)
    assert world.status.latest.step == 1


def test_a_pause_because_of_harm_can_be_left_knowingly_or_when_the_harm_is_over():
    world = World(policy(reactions={"worse": "pause"}))
    world.run(10 * 60, until=Phase.OBSERVING)
    world.workloads.down = {"v2"}
    world.run(120, until=Phase.PAUSED)
    world.command("resume")
    world.run(3)
    assert world.status.phase is Phase.PAUSED and "evidence" in world.status.last_command.message
    world.workloads.down = set()
    world.run(30)
    world.command("resume")
    world.run(3)
    assert world.status.phase is Phase.OBSERVING
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(HOUR, until=Phase.PAUSED)
    step = world.status.latest.step
    world.command("promote")
    world.run(30)
    assert world.status.latest.step == step + 1 or world.status.phase is Phase.BAKING
    assert "knowing that it is worse" in world.status.last_command.message


def test_harm_in_the_bake_can_be_passed_knowingly_also_when_a_look_is_due():
    made = policy(
        canary={"steps": [{"weight": "50%", "for": "1m"}], "bake": {"for": "1h"}}, reactions={"worse": "pause"}
    )
    world = World(made, rate=50)
    world.run(4 * HOUR, until=Phase.BAKING)
    world.behaviour["v2"] = Behaviour(tasks=0.3)
    world.run(HOUR, until=Phase.PAUSED)
    world.pass_s(30)
    world.command("promote")
    world.run(10, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED and "by hand" in world.status.message


def test_a_bake_without_a_reference_advises_what_can_help():
    world = World(policy(canary={"steps": [{"weight": "50%", "for": "1m"}], "bake": {"for": "1m"}}), rate=0.02)
    world.run(600, until=Phase.OBSERVING)
    world.command("promote")
    world.rate = 20
    world.run(HOUR, until=Phase.PAUSED)
    assert "rollout promote" in world.status.next
    world.command("resume")
    world.run(3)
    assert "promote it knowingly" in world.status.last_command.message
    world.command("promote")
    world.run(60, until=Phase.STABLE)
    assert world.status.latest.result is Result.PROMOTED


def test_a_weight_that_is_still_on_its_way_is_called_back_by_an_abort():
    """A router that takes three seconds: at the abort it still shows 0, and 10 % is about to arrive."""
    world = World()
    late: list[tuple[float, SetWeight]] = []
    prompt_observe = world.router.observe

    def apply(weight: SetWeight) -> None:
        late.append((world.clock.at.timestamp() + 3, weight))

    def observe():
        for due in [each for each in late if each[0] <= world.clock.at.timestamp()]:
            world.router.in_force = due[1]
            late.remove(due)
        return prompt_observe()

    world.router.apply, world.router.observe = apply, observe  # type: ignore[method-assign]
    world.run(60, until=Phase.SHIFTING)
    while not any(weight.candidate_bp for _, weight in late):
        world.run(0.2, every_s=0.1)
    world.command("abort")
    world.run(30, until=Phase.ROLLED_BACK)
    world.clock.pass_s(10)
    observe()
    assert world.router.in_force == SetWeight("v1", "v2", 0)


def test_each_of_several_commands_has_its_own_answer():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    refused, accepted = world.command("approve"), world.command("pause")
    world.reconcile()
    answers = {answer.id: answer.accepted for answer in world.status.answers}
    assert answers == {refused: False, accepted: True}


def test_a_hundred_commands_at_once_are_each_answered_once_and_abort_first():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    for _ in range(100):
        world.command("approve")
    world.command("abort")
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    world.run(30)
    told = [decision for decision in world.records.decisions if decision.kind == "command"]
    assert len(told) == 101


def test_a_preflight_that_fails_says_what_failed():
    world = World()
    world.workloads.down = {"v2"}
    world.run(60)
    assert world.status.reason is Reason.NOT_READY and "v2 is not ready" in world.status.message
    told = [decision for decision in world.records.decisions if decision.kind == "transition"]
    assert len(told) <= 4, "and says it once"
    status = world.run(HOUR, until=Phase.ROLLED_BACK)
    assert "v2 is not ready: connection refused" in status.message


def test_a_pause_in_preflight_does_not_use_up_its_time():
    world = World()
    world.workloads.down = {"v2"}
    world.run(30)
    world.command("pause")
    world.run(20 * 60)
    world.workloads.down = set()
    world.command("resume")
    world.run(30, until=Phase.OBSERVING)
    assert world.status.phase is Phase.OBSERVING


def test_a_clock_that_steps_back_blinds_nobody():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.run(60)
    world.clock.pass_s(-3600)
    world.behaviour["v2"] = Behaviour(tasks=0.9)
    began = world.clock.at
    world.run(HOUR, until=Phase.ROLLED_BACK)
    assert (world.clock.at - began).total_seconds() < 300


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


def test_an_abort_holds_also_for_the_version_that_was_about_to_begin():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.router.deaf = True
    world.declare(version="v3")
    world.run(5, until=Phase.SUPERSEDING)
    world.command("abort")
    world.reconcile()
    world.router.deaf = False
    world.run(600)
    assert world.status.phase is Phase.ROLLED_BACK and world.router.in_force == SetWeight("v1", "v2", 0)
    world.command("retry")
    world.run(60, until=Phase.OBSERVING)
    assert world.status.candidate_version == "v3"


def test_requests_that_outlast_the_drain_are_told_as_such():
    world = World()
    world.router.active = {"v1": 2}
    world.run(6 * HOUR, until=Phase.DRAINING)
    world.run(HOUR, until=Phase.STABLE)
    assert any("2 requests on v1 are still under way" in decision.message for decision in world.records.decisions)


def test_worse_can_freeze_or_pause_instead_of_rolling_back():
    for reaction, phase in (("freeze", Phase.FROZEN), ("pause", Phase.PAUSED)):
        world = World(policy(reactions={"worse": reaction}), rate=50)
        world.behaviour["v2"] = Behaviour(tasks=0.4)
        status = world.run(2 * HOUR, until=phase)
        assert status.phase is phase and status.reason is Reason.WORSE
        held = world.router.in_force
        world.run(600)
        assert world.router.in_force == held and world.status.phase is phase


def test_the_old_version_is_kept_in_the_route_until_its_requests_have_ended():
    world = World()
    world.router.active = {"v1": 2}
    world.run(6 * HOUR, until=Phase.DRAINING)
    world.run(120)
    assert world.status.phase is Phase.DRAINING and "2 requests" in world.status.next
    assert world.router.in_force == SetWeight("v1", "v2", 10_000)
    world.router.active = {"v1": 0}
    world.run(5)
    assert world.status.phase is Phase.STABLE and world.router.in_force == SetWeight("v2")


def test_an_advisory_kpi_neither_rolls_back_nor_blocks():
    kpis = [
        {"name": "errors", "bad": "a", "total": "b", "margin": {"absolute": "3%"}},
        {"name": "tasks", "bad": "c", "total": "d", "margin": {"absolute": "1%"}, "advisory": True},
    ]
    world = World(policy(kpis=kpis), rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(6 * HOUR, until=Phase.STABLE, every_s=5)
    assert world.status.latest.result is Result.PROMOTED


def test_checks_that_never_pass_stop_the_rollout_before_any_traffic():
    world = World()
    world.metrics.failing = {"tasks"}
    status = world.run(HOUR, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.STOPPED and status.reason is Reason.PREFLIGHT_FAILED
    assert all(weight.candidate_bp == 0 for weight in world.router.applied)


def test_spec_paused_holds_and_lets_go():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.declare(paused=True)
    world.run(5)
    assert world.status.phase is Phase.PAUSED
    world.declare(paused=False)
    world.run(5)
    assert world.status.phase is Phase.OBSERVING


def test_the_wall_clock_stepping_back_breaks_nothing():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.clock.pass_s(-3600)
    world.run(30)
    assert world.status.phase in (Phase.OBSERVING, Phase.SHIFTING)
    assert world.router.in_force == SetWeight("v1", "v2", 1000)


def test_the_only_version_there_is_becomes_stable_and_gets_everything():
    world = World(version="v1", backends={"endpoints": [{"version": "v1", "url": "http://v1:80"}]})
    world.records.rollout = type(world.records.rollout)(
        world.records.rollout.metadata,
        world.records.rollout.spec,
        world.status.model_copy(update={"stable_version": None}),
    )
    world.router.in_force = None
    world.run(5)
    assert world.status.stable_version == "v1" and world.router.in_force == SetWeight("v1")


def test_an_unknown_stable_version_starts_nothing_and_says_what_to_do():
    world = World()
    world.records.rollout = type(world.records.rollout)(
        world.records.rollout.metadata,
        world.records.rollout.spec,
        world.status.model_copy(update={"stable_version": None}),
    )
    world.router.in_force = None
    world.run(5)
    assert world.status.reason is Reason.STABLE_UNKNOWN and "--stable" in world.status.message
    assert not world.router.applied


def test_every_rollout_tells_the_same_story_again():
    """The same facts give the same plan, to the last bit."""
    first, second = World(seed=5), World(seed=5)
    for world in (first, second):
        world.behaviour["v2"] = Behaviour(tasks=0.1)
        world.run(1800)
    assert first.status == second.status


def test_a_command_that_is_still_asked_for_is_not_forgotten_and_the_ring_stays_bounded():
    world = World()
    world.run(60)
    first = world.command("pause")
    world.reconcile()
    asked = next(each for each in world.records.pending if each.id == first)
    for _ in range(30):
        world.command("pause")
        world.records.again = [asked]
        world.reconcile()
    assert first in world.status.handled and len(world.status.handled) <= 20
