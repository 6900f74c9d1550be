"""A stable version that does not answer locks nobody out: a human, or the policy, may pass it."""

from __future__ import annotations

from rollout.model.status.vocabulary import Phase, Reason
from tests.world import World, policy


def stopped() -> World:
    """A release whose stable version is down until its preflight waits for a human."""
    world = World(policy())
    world.workloads.down.add("v1")
    world.run(7200, until=Phase.PAUSED)
    assert world.status.reason is Reason.STABLE_DOWN, world.status.message
    return world


def test_a_stable_version_that_stays_down_asks_a_human_and_says_how_to_pass_it() -> None:
    assert "rollout promote --reason" in stopped().status.next


def test_a_human_passes_it_from_the_pause_with_a_reason() -> None:
    world = stopped()
    world.command("promote")
    world.run(120, until=Phase.DRAINING)
    assert world.router.share_of("v2") == 1.0
    assert "ada" in (world.status.latest.stable_passed_by or "")


def test_a_stable_version_that_answers_again_is_not_passed_any_more() -> None:
    slow = {"webhooks": [{"name": "smoke", "url": "http://checks/", "when": "before-traffic", "timeout": "1h"}]}
    world = World(policy(reactions={"stableDown": "promote"}, gates=slow))
    world.workloads.down.add("v1")
    world.run(300)
    assert world.status.phase is Phase.PREFLIGHT and world.status.latest.stable_passed_by == "the policy"
    world.workloads.down.clear()
    world.run(60)
    assert world.status.latest.stable_passed_by == ""
    assert any("v1 answers again" in decision.message for decision in world.status_store.decisions)


def test_samples_without_stable_are_counted_anew_once_it_answers() -> None:
    world = World(policy(reactions={"stableDown": "promote"}))
    world.workloads.down = {"v1"}
    world.run(6)
    assert world.status.latest.stable_down_samples > 0
    world.workloads.down = {"v2"}
    world.run(30)
    assert world.status.latest.stable_down_samples == 0 and world.status.phase is Phase.PREFLIGHT
