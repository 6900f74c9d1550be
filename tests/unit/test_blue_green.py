"""Blue-green: previewed, switched, judged against what stable was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollout.engine.effects import SetWeight
from rollout.engine.facts import CheckFact
from rollout.model.rollout import Rollout
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result
from tests.statuses import status_with
from tests.world import Behaviour, World, blue_green, shares


def test_a_good_version_is_previewed_switched_to_and_promoted():
    world = blue_green()
    world.run(4000, until=Phase.DRAINING)
    assert world.status.stable_version == "v2" and world.status.latest.result is Result.PROMOTED
    assert shares(world) == [0, 10_000]
    assert SetWeight("v1", "v2", 0, "x-rollout-preview") in world.router.applied
    assert world.router.applied[-1].preview_header is None


def test_no_user_is_on_the_candidate_before_the_preview_is_over():
    world = blue_green()
    world.run(299)
    assert world.status.phase is Phase.OBSERVING and world.status.reason is Reason.PREVIEWING
    assert shares(world) == [0]
    assert "x-rollout-preview: v2" in world.status.message


def test_synthetic_requests_of_the_preview_are_no_evidence():
    world = blue_green()
    for _ in range(250):
        world.reconcile()
        world.metrics.grow("v2", Behaviour(errors=1.0, tasks=1.0), 5)
        world.pass_s(1)
    assert world.status.latest.evidence["tasks"].all_c == 0 and world.status.latest.evidence["tasks"].all_s > 0
    assert world.status.phase is Phase.OBSERVING


def test_a_worse_version_is_found_after_the_switch_and_sent_back():
    world = blue_green()
    world.behaviour["v2"] = Behaviour(tasks=0.4)
    world.run(4000, until=Phase.ROLLED_BACK)
    assert world.status.latest.result is Result.ROLLED_BACK and "frozen at most" in world.status.message
    assert shares(world) == [0, 10_000, 0]


def test_promotion_after_a_switch_needs_proof_against_the_frozen_reference():
    world = blue_green()
    world.run(1000, until=Phase.BAKING)
    world.rate = 0.02
    world.run(3600)
    assert world.status.phase is Phase.BAKING
    world.rate = 20.0
    world.run(1800, until=Phase.DRAINING)
    assert all(state.proof.e_value >= 20 for state in world.status.latest.evidence.values())


def test_a_candidate_without_any_outcome_after_the_switch_does_not_answer():
    world = blue_green()
    world.run(1000, until=Phase.BAKING)
    world.rate = 0.0
    world.run(600, until=Phase.ROLLED_BACK)
    assert world.status.reason is Reason.CANDIDATE_DOWN and "does not answer" in world.status.message


def test_little_traffic_before_the_switch_makes_silence_after_it_no_sign_of_anything():
    world = blue_green({"preview": {"for": "1m"}})
    world.run(300, until=Phase.BAKING)
    seen = {name: state.model_copy(update={"all_s": 3.0}) for name, state in world.status.latest.evidence.items()}
    world.status_store.rollout = Rollout(
        world.status_store.rollout.metadata,
        world.status_store.rollout.spec,
        status_with(world.status, evidence=seen, started_at=world.clock.at - timedelta(hours=1)),
    )
    world.rate = 0.0
    world.run(600)
    assert world.status.phase is not Phase.ROLLED_BACK


def test_too_little_traffic_after_the_switch_is_undecided_when_the_bakes_time_is_over():
    world = blue_green({"bake": {"for": "5m", "atMost": "30m"}})
    world.run(1000, until=Phase.BAKING)
    world.rate = 0.05
    world.run(3600, until=Phase.PAUSED)
    assert world.status.reason is Reason.UNDECIDED and world.status.latest.traffic.wanted_bp == 10_000
    world.rate = 20.0
    world.command("resume")
    world.run(1800, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED


def test_the_switch_waits_until_stable_is_known_well_enough_to_compare_with():
    world = blue_green()
    world.rate = 0.01
    world.run(900, every_s=5)
    assert world.status.phase is Phase.OBSERVING
    assert world.status.reason in (Reason.NO_DATA, Reason.COLLECTING)
    assert shares(world) == [0]


def test_the_switch_waits_for_an_approval_with_a_name():
    world = blue_green({"switch": {"approval": "required"}})
    world.run(1000, until=Phase.PAUSED)
    assert world.status.held_by is HeldBy.APPROVAL and "the switch to v2" in world.status.message
    world.command("approve")
    world.run(60, until=Phase.BAKING)
    assert "approved by ada: because" in " ".join(d.message for d in world.status_store.decisions)


def test_a_candidate_that_does_not_answer_is_never_switched_to():
    world = blue_green()
    world.run(200)
    world.workloads.down = {"v2"}
    world.run(600)
    assert world.status.phase is Phase.OBSERVING and world.status.reason is Reason.NOT_READY
    assert shares(world) == [0]
    world.workloads.down = set()
    world.run(100, until=Phase.BAKING)
    assert world.status.phase is Phase.BAKING


def test_an_abort_closes_the_preview_too():
    world = blue_green()
    world.run(60)
    assert world.router.effective.preview_header is not None
    world.command("abort")
    world.run(5)
    assert world.status.phase is Phase.ROLLED_BACK and world.router.effective == SetWeight("v1", "v2", 0)


def test_checks_before_traffic_run_against_the_preview():
    world = blue_green(gates={"webhooks": [{"name": "evals", "url": "http://evals/run"}]})
    world.run(400)
    assert world.status.phase is Phase.OBSERVING and world.status.reason is Reason.CHECK_RUNNING
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=False, message="41 of 50 answers right, 45 needed")
    world.run(60)
    assert world.status.phase is Phase.ROLLED_BACK and world.status.latest.result is Result.STOPPED
    assert "41 of 50" in world.status.message
    assert shares(world) == [0]


def test_passing_a_preview_by_hand_does_not_pass_the_checks_before_traffic():
    world = blue_green(gates={"webhooks": [{"name": "evals", "url": "http://evals/run"}]})
    world.run(60)
    world.command("promote")
    world.run(60)
    assert world.status.phase is Phase.OBSERVING and shares(world) == [0]
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)
    world.run(30, until=Phase.BAKING)
    assert world.status.phase is Phase.BAKING


def test_a_preview_with_little_traffic_is_no_reference_for_a_worse_version():
    """A bound of 40 % after thirty requests would let nearly anything pass as proved."""
    for seed in range(3):
        world = blue_green()
        world.random.seed(seed)
        world.behaviour["v2"] = Behaviour(errors=0.15, tasks=0.20)
        world.rate = 0.1
        world.run(3600, every_s=10)
        assert shares(world) == [0] and world.status.reason in (Reason.COLLECTING, Reason.NO_DATA)


def test_a_preview_passed_by_hand_without_a_reference_pauses_instead_of_proving_anything():
    world = blue_green()
    world.rate = 0.1
    world.run(400, every_s=5)
    world.command("promote")
    world.run(60, until=Phase.BAKING)
    world.rate = 20.0
    world.behaviour["v2"] = Behaviour(errors=0.15, tasks=0.20)
    world.run(3600, until=Phase.PAUSED, every_s=5)
    assert world.status.phase is Phase.PAUSED and world.status.reason in (Reason.UNDECIDED, Reason.WORSE)


def frozen_after_switch() -> World:
    world = blue_green(reactions={"worse": "freeze"}, strategy={"switch": {"approval": "required"}})
    world.run(1000, until=Phase.PAUSED)
    world.command("approve")
    world.run(60, until=Phase.BAKING)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(1800, until=Phase.FROZEN)
    assert world.status.phase is Phase.FROZEN
    return world


def test_what_is_frozen_after_the_switch_is_still_counted():
    world = frozen_after_switch()
    counted = world.status.latest.evidence["tasks"].all_c
    world.run(120)
    assert world.status.latest.evidence["tasks"].all_c > counted + 1000


def test_retrying_a_frozen_switch_goes_back_to_the_preview_with_its_gates():
    world = frozen_after_switch()
    world.command("retry")
    world.run(30)
    assert "all users on v1" in world.status.last_command.message
    assert world.router.effective == SetWeight("v1", "v2", 0, "x-rollout-preview")
    world.behaviour["v2"] = Behaviour()
    world.run(1000, until=Phase.PAUSED)
    assert world.status.held_by is HeldBy.APPROVAL, "the second switch needs a word of its own"


def test_the_switch_needs_a_cap_that_is_not_exceeded():
    cap = {"counter": "c{v='$version'}", "atMost": 5, "then": "pause"}
    world = blue_green({"switch": {"approval": "required"}}, spendCap=cap)
    world.run(1000, until=Phase.PAUSED)
    world.metrics.grow("v2", Behaviour(cost=10.0), 10)
    world.run(30)
    world.command("approve")
    world.run(30)
    assert shares(world) == [0] and world.status.reason is Reason.SPEND


def test_after_a_switch_too_nothing_is_proved_by_outcomes_that_are_not_mature():
    kpis = [
        {"name": "tasks", "bad": "c", "total": "d", "matures": "20m", "margin": {"relative": "50%", "absolute": "4%"}}
    ]
    world = blue_green(kpis=kpis)
    world.run(4000, until=Phase.BAKING)
    began = world.clock.at
    world.run(1000)
    assert world.status.latest.evidence["tasks"].proof.e_value == pytest.approx(1.0)
    world.run(3000, until=Phase.DRAINING)
    assert world.clock.at - began > timedelta(minutes=20)


def test_a_check_before_promotion_is_not_skipped_by_passing_the_bake_by_hand():
    world = blue_green(gates={"webhooks": [{"name": "evals", "url": "http://e/r", "when": "before-promotion"}]})
    world.run(4000, until=Phase.BAKING)
    world.run(60)
    world.command("promote")
    world.run(60)
    assert world.status.phase is Phase.BAKING and world.status.reason is Reason.CHECK_RUNNING
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)
    world.run(10, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED


def test_a_preview_that_never_learns_enough_is_undecided_when_its_time_is_over():
    world = blue_green({"preview": {"for": "5m", "atMost": "30m"}})
    world.rate = 0.1
    world.run(3600, until=Phase.PAUSED, every_s=5)
    assert world.status.reason is Reason.UNDECIDED and shares(world) == [0]


def test_resuming_is_refused_where_no_time_helps_and_advised_where_it_does():
    world = blue_green()
    world.rate = 0.1
    world.run(400, every_s=5)
    world.command("promote")
    world.run(60, until=Phase.BAKING)
    world.rate = 20.0
    world.run(3600, until=Phase.PAUSED, every_s=5)
    assert "resume" not in world.status.next
    world.command("resume")
    world.run(3)
    assert not world.status.last_command.accepted
    world = blue_green({"bake": {"for": "5m", "atMost": "10m"}})
    world.run(1000, until=Phase.BAKING)
    world.rate = 0.01
    world.run(3600, until=Phase.PAUSED, every_s=5)
    assert "resume" in world.status.next


def test_a_candidate_that_is_down_before_any_user_is_no_harm_that_must_be_accepted():
    world = blue_green()
    world.run(60)
    world.workloads.down = {"v2"}
    world.run(60)
    world.command("pause")
    world.run(3)
    world.command("resume")
    world.run(3)
    assert world.status.last_command.accepted, world.status.last_command.message


def test_a_newer_version_does_not_wait_for_the_drain_of_the_one_before():
    world = blue_green()
    world.router.active = {"v1": 3}
    world.run(4000, until=Phase.DRAINING)
    world.declare(version="v3")
    world.run(5)
    assert world.status.candidate_version == "v3" and world.status.stable_version == "v2"
