"""Undo: the way back to the version before, at once or by a release of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml

from rollout.engine.facts import CheckFact, Command
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.world import POLICY, Behaviour, World, blue_green, policy, shares


def promoted(world: World) -> World:
    world.run(4000, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED, world.status.message
    world.run(5)
    return world


def test_undo_within_standby_switches_back_at_once():
    world = promoted(blue_green())
    assert "rollout undo" in world.status.next
    world.command("undo")
    world.run(3)
    assert world.status.phase is Phase.ROLLED_BACK and world.status.latest.result is Result.UNDONE
    assert world.status.stable_version == "v1" and world.router.share_of("v1") == 1.0


def test_what_was_undone_is_not_undone_again():
    world = promoted(blue_green())
    world.command("undo")
    world.run(3)
    world.command("undo")
    world.run(2)
    assert not world.status.last_command.accepted and "undone already" in world.status.last_command.message


def test_what_was_undone_is_not_started_again_by_itself():
    world = promoted(blue_green())
    world.command("undo")
    world.run(600)
    assert world.status.phase is Phase.ROLLED_BACK and world.router.share_of("v1") == 1.0
    world.declare(version="v3")
    world.run(5)
    assert world.status.candidate_version == "v3"


def test_undo_after_standby_is_a_rollout_by_the_quick_way():
    world = promoted(blue_green(undo={"steps": [{"weight": "50%", "for": "1m"}], "bake": {"for": "1m"}}))
    world.run(3700, every_s=10)
    world.command("undo")
    world.run(600, until=Phase.DRAINING)
    assert world.status.stable_version == "v1" and world.status.latest.result is Result.PROMOTED
    assert shares(world)[-2:] == [5000, 10_000]
    assert world.clock.at - world.status.latest.started_at < timedelta(minutes=5)
    world.run(60)
    assert world.status.phase is Phase.STABLE and world.router.share_of("v1") == 1.0


def test_undo_without_steps_is_one_switch():
    world = promoted(blue_green(undo={"bake": {"for": "30s"}}))
    world.run(3700, every_s=10)
    seen = len(world.router.applied)
    world.command("undo")
    world.run(600, until=Phase.DRAINING)
    assert world.status.stable_version == "v1"
    assert {weight.weight_bp for weight in world.router.applied[seen:]} == {0, 10_000}


def test_an_undo_to_a_version_that_does_not_answer_is_refused():
    world = promoted(blue_green())
    world.workloads.down = {"v1"}
    world.command("undo")
    world.run(3)
    assert world.status.phase is Phase.STABLE and "does not answer" in world.status.last_command.message
    assert world.router.share_of("v2") == 1.0


def test_undo_before_promotion_points_to_abort():
    world = blue_green()
    world.run(60)
    world.command("undo")
    world.reconcile()
    assert not world.status.last_command.accepted and "rollout abort" in world.status.last_command.message


def test_a_canary_can_be_undone_at_once_while_stable_is_kept_ready():
    raw = yaml.safe_load(POLICY)["canary"]
    world = World(policy(canary={**raw, "standby": {"for": "30m"}}))
    world.run(9000, until=Phase.DRAINING)
    world.run(20)
    world.command("undo")
    world.run(3)
    assert world.status.latest.result is Result.UNDONE and world.router.share_of("v1") == 1.0


def frozen_after_switch() -> World:
    world = blue_green(reactions={"worse": "freeze"}, strategy={"switch": {"approval": "required"}})
    world.run(1000, until=Phase.PAUSED)
    world.command("approve")
    world.run(60, until=Phase.BAKING)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(1800, until=Phase.FROZEN)
    assert world.status.phase is Phase.FROZEN
    return world


def undoing(**changes) -> World:
    """After standby: on the way back from v2 to v1 in two steps."""
    way = {"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1m"}}
    world = blue_green(undo=way, **changes)
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)
    promoted(world).run(3700, every_s=10)
    world.command("undo")
    return world


def test_an_undo_that_was_aborted_is_retried_as_an_undo():
    world = undoing()
    world.run(60)
    world.command("abort")
    world.run(10)
    world.command("retry")
    world.run(3000, until=Phase.DRAINING)
    assert world.status.stable_version == "v1" and world.status.latest.result is Result.PROMOTED
    assert all(weight.stable != weight.candidate for weight in world.router.applied)


def test_the_way_back_is_not_turned_round_by_cost_windows_or_checks():
    world = undoing(
        spendCap={"counter": "c{v='$version'}", "atMost": 100000.0},
        gates={"webhooks": [{"name": "evals", "url": "http://e/r", "when": "before-promotion"}]},
    )
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=False)
    world.gatekeeper.closed = "frozen until January"
    world.behaviour["v1"] = Behaviour(cost=1000.0)
    world.run(1500, until=Phase.DRAINING)
    assert world.status.stable_version == "v1"


def test_harm_on_the_way_back_asks_a_human_instead_of_going_forward_again():
    world = undoing()
    world.behaviour["v1"] = Behaviour(tasks=0.5)
    world.run(600, until=Phase.PAUSED)
    assert world.status.phase is Phase.PAUSED and world.status.reason is Reason.WORSE


def test_an_undo_after_a_newer_version_failed_goes_back_and_leaves_that_one_turned_down():
    world = promoted(blue_green(undo={"bake": {"for": "10s"}}))
    world.behaviour["v3"] = Behaviour(tasks=0.6)
    world.declare(version="v3")
    world.run(3000, until=Phase.ROLLED_BACK)
    assert world.status.latest.result is Result.ROLLED_BACK
    world.command("undo")
    world.run(600, until=Phase.DRAINING)
    assert world.status.stable_version == "v1" and world.status.last_command is not None
    world.run(300)
    assert world.status.phase is Phase.STABLE and world.router.share_of("v1") == 1.0


@pytest.mark.parametrize("broken", ["v2 does not answer", "no metrics", "nothing to see"])
def test_the_way_back_needs_nothing_of_the_version_that_is_left(broken):
    world = undoing(reactions={"sourceDown": "pause", "noData": "pause"})
    if broken == "v2 does not answer":
        world.workloads.down = {"v2"}
    elif broken == "no metrics":
        world.metrics.failing = {"errors", "tasks"}
    else:
        world.rate = 0.0
    world.run(2000, until=Phase.DRAINING, every_s=5)
    assert world.status.stable_version == "v1", world.status.message


def test_an_undo_to_a_version_without_an_endpoint_is_refused():
    world = promoted(blue_green())
    now = world.status_store.rollout
    kept = now.spec.backends.model_copy(update={"endpoints": now.spec.backends.endpoints[1:]})
    world.declare(backends=kept)
    world.command("undo")
    world.run(3)
    assert world.status.stable_version == "v2" and "has no endpoint" in world.status.last_command.message


def test_an_undecided_way_back_asks_a_human_and_never_goes_forward_again():
    way = {"steps": [{"weight": "50%", "until": "evidence", "atMost": "2m"}], "bake": {"for": "1m"}}
    world = promoted(blue_green(undo=way, reactions={"undecided": "rollback"}))
    world.run(3700, every_s=10)
    world.rate = 0.01
    world.command("undo")
    world.run(900, until=Phase.PAUSED, every_s=5)
    assert world.status.phase is Phase.PAUSED and world.status.reason is Reason.UNDECIDED


def test_thawing_halves_the_budget_for_false_rollbacks():
    world = frozen_after_switch()
    before = world.plans[-1].decisions[-1].threshold_e
    world.command("retry")
    world.run(20)
    assert world.status.latest.retries == 1 and world.status_store.decisions[-1].threshold_e == 2 * before


def test_a_version_that_failed_before_cannot_take_an_undo_over():
    world = blue_green(undo={"steps": [{"weight": "50%", "for": "1m"}]})
    world.behaviour["v2"] = Behaviour(tasks=0.6)
    world.run(3000, until=Phase.ROLLED_BACK)
    world.declare(version="v3")
    world.run(4000, until=Phase.DRAINING)
    world.run(10)
    world.declare(version="v2")
    world.run(3700, every_s=10)
    assert world.status.stable_version == "v3" and "v2 failed before" in world.status.next
    world.command("undo")
    world.run(900, until=Phase.DRAINING)
    assert world.status.stable_version == "v1"


def test_a_hanging_version_does_not_hold_the_way_back_by_its_counters():
    """What is left takes requests and counts none: the split looks wrong, and no wonder."""
    world = undoing()
    for _ in range(900):
        world.reconcile()
        share = world.router.share_of("v1")
        world.metrics.grow("v1", Behaviour(), int(20 * share))
        world.clock.pass_s(1)
        if world.status.phase is Phase.DRAINING:
            break
    assert world.status.stable_version == "v1", world.status.message


def test_a_failed_version_can_be_retried_while_the_one_before_drains():
    world = blue_green()
    world.behaviour["v2"] = Behaviour(tasks=0.6)
    world.run(3000, until=Phase.ROLLED_BACK)
    world.declare(version="v3")
    world.router.active = {"v1": 1}
    world.run(4000, until=Phase.DRAINING)
    world.declare(version="v2")
    world.run(5)
    world.command("retry")
    world.run(3)
    assert world.status.candidate_version == "v2" and world.status.latest.retries == 1


def test_an_undo_meant_for_another_version_is_refused():
    world = promoted(blue_green())
    world.status_store.pending.append(Command("late", "undo", "ada", "", world.clock.at, version="v1"))
    world.run(3)
    assert world.status.stable_version == "v2" and "the command is to undo v1" in world.status.last_command.message


def test_an_undo_turns_down_what_is_undone_and_not_a_newer_wish():
    world = promoted(blue_green())
    world.declare(version="v3")
    world.command("undo")
    world.run(30)
    assert world.status.candidate_version == "v3" and world.status.stable_version == "v1"


def test_what_was_undone_starts_again_once_it_is_declared_anew_or_retried():
    for again in ("declare", "retry"):
        world = promoted(blue_green())
        world.command("undo")
        world.run(10)
        if again == "declare":
            world.declare(version="v1")
            world.run(5)
            world.declare(version="v2")
        else:
            assert "retry" in world.status.next
            world.command("retry")
        world.run(5)
        assert world.status.candidate_version == "v2" and world.status.is_active
        assert world.status.latest.retries == 0, "nothing was found against it"
