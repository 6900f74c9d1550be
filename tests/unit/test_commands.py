"""Commands as the engine answers them: each once, none late, abort before all others."""

import pytest

from rollout.engine.effects import SetWeight
from rollout.engine.facts import Command
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.world import Behaviour, World, policy

HOUR = 3600.0


def test_a_step_with_an_approval_keeps_its_weight_until_somebody_approves():
    steps = [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m", "approval": "required"}]
    world = World(policy(canary={"steps": steps}))
    status = world.run(HOUR, until=Phase.PAUSED)
    assert status.reason is Reason.APPROVAL and world.router.effective == SetWeight("v1", "v2", 1000)
    world.command("resume")
    world.run(5)
    assert world.status.last_command and not world.status.last_command.accepted
    world.command("approve")
    world.run(60, until=Phase.OBSERVING)
    assert world.router.effective == SetWeight("v1", "v2", 5000)


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
    assert world.router.effective == SetWeight("v1", "v2", 0)
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
    world.status_store.pending.append(next(each for each in world.status_store.pending if each.id == command))
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


def test_harm_in_the_bake_can_be_passed_knowingly_also_when_a_sample_is_due():
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
    assert "Promote the step to accept this" in world.status.last_command.message
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
            world.router.effective = due[1]
            late.remove(due)
        return prompt_observe()

    world.router.apply, world.router.observe = apply, observe  # type: ignore[method-assign]
    world.run(60, until=Phase.SHIFTING)
    while not any(weight.weight_bp for _, weight in late):
        world.run(0.2, every_s=0.1)
    world.command("abort")
    world.run(30, until=Phase.ROLLED_BACK)
    world.clock.pass_s(10)
    observe()
    assert world.router.effective == SetWeight("v1", "v2", 0)


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
    told = [decision for decision in world.status_store.decisions if decision.kind == "command"]
    assert len(told) == 101


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
    assert world.status.phase is Phase.ROLLED_BACK and world.router.effective == SetWeight("v1", "v2", 0)
    world.command("retry")
    world.run(60, until=Phase.OBSERVING)
    assert world.status.candidate_version == "v3"


def test_spec_paused_holds_and_lets_go():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.declare(paused=True)
    world.run(5)
    assert world.status.phase is Phase.PAUSED
    world.declare(paused=False)
    world.run(5)
    assert world.status.phase is Phase.OBSERVING


def test_a_command_that_is_still_asked_for_is_not_forgotten_and_the_ring_stays_bounded():
    world = World()
    world.run(60)
    first = world.command("pause")
    world.reconcile()
    asked = next(each for each in world.status_store.pending if each.id == first)
    for _ in range(30):
        world.command("pause")
        world.status_store.again = [asked]
        world.reconcile()
    assert first in world.status.handled and len(world.status.handled) <= 20


def test_a_command_for_a_policy_that_is_not_pinned_any_more_is_refused():
    world = World(policy())
    world.run(100)
    assert world.status.is_active
    world.status_store.pending.append(Command("late", "promote", "ada", "because", world.clock.at, plan="sha256:other"))
    world.run(2)
    assert not world.status.last_command.accepted and "another policy" in world.status.last_command.message


def test_a_step_that_waits_for_an_approval_is_not_promoted_past_it():
    world = World(policy(canary={"steps": [{"weight": "10%", "for": "1m", "approval": "required"}]}))
    world.run(3600, until=Phase.PAUSED)
    world.command("promote")
    world.run(2)
    assert not world.status.last_command.accepted and "use approve" in world.status.last_command.message
    assert world.status.phase is Phase.PAUSED


def test_a_version_that_is_not_declared_any_more_is_not_retried():
    world = World(policy())
    world.run(100)
    world.command("abort")
    world.run(30, until=Phase.ROLLED_BACK)
    world.declare(version="v3")
    world.command("retry")
    answers = world.reconcile().answers
    assert [(answer.accepted, answer.message) for answer in answers] == [
        (False, "v2 is not the wanted version any more")
    ]


def test_harm_while_a_weight_is_pending_is_passed_knowingly_and_passes_no_step():
    world = World(policy(reactions={"worse": "pause"}), rate=100)
    world.run(3600, until=Phase.OBSERVING)
    world.router.deaf = True
    world.run(3600, until=Phase.SHIFTING)
    world.behaviour["v2"] = Behaviour(tasks=0.9)
    world.run(600, until=Phase.PAUSED)
    assert world.status.reason is Reason.WORSE and world.status.resume_to is Phase.SHIFTING, world.status.message
    world.command("promote")
    world.run(2)
    assert world.status.last_command.accepted and world.status.phase is Phase.SHIFTING
    assert not world.status.latest.passed_by_human and world.status.latest.harm_accepted == (1,)


def test_a_retry_after_an_abort_for_other_reasons_has_the_budget_that_the_release_had():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.command("abort")
    world.run(60, until=Phase.ROLLED_BACK)
    world.command("retry")
    world.reconcile()
    assert world.status.phase is Phase.PREFLIGHT and world.status.latest.retries == 0


def test_a_retry_that_was_aborted_for_other_reasons_is_retried_with_what_it_had():
    world = World(rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(2 * HOUR, until=Phase.ROLLED_BACK)
    world.behaviour["v2"] = Behaviour()
    for _ in range(2):
        world.command("retry")
        world.run(10 * 60, until=Phase.OBSERVING)
        assert world.status.latest.retries == 1
        world.command("abort")
        world.run(60, until=Phase.ROLLED_BACK)


def test_a_retry_that_was_typed_twice_is_carried_out_once_and_refused_never():
    """The first was interrupted before it was taken up, and is still there."""
    world = World(rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(2 * HOUR, until=Phase.ROLLED_BACK)
    first, second = (world.command("retry", phase=Phase.ROLLED_BACK) for _ in range(2))
    world.reconcile()
    answers = {answer.id: answer for answer in world.status.answers}
    assert answers[first].accepted and answers[second].accepted
    assert answers[second].message == "v2 is being released already" and world.status.latest.retries == 1


def test_a_retry_for_another_moment_is_refused_as_ever():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    late = world.command("retry", phase=Phase.ROLLED_BACK)
    world.reconcile()
    (answer,) = (answer for answer in world.status.answers if answer.id == late)
    assert not answer.accepted and "the command is for RolledBack" in answer.message
