"""Conversations in the engine: which stay where, until when a version is drained, and what a rollback leaves."""

from __future__ import annotations

import json

import pytest

from rollout.engine.conditions import conditions_of
from rollout.engine.facts import FetchedContract
from rollout.errors import ClusterUnavailable
from rollout.model.status.conditions import ConditionType
from rollout.model.status.conversations import Pins
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.unit.test_state_gate import RENAMED, SAME, contract
from tests.world import Behaviour, World, policy

PINNED = {"pin": {"header": "x-agent-version"}, "turns": 1}


def world(*, started="stable", drain=None, conversations=None, **options):
    changes = {"conversations": {**PINNED, "started": started, **(conversations or {})}}
    return World(policy(drain={"deadline": "10m", **(drain or {})}, **options.pop("policy", {})), **changes, **options)


def released(made):
    made.run(4 * 3600, until=Phase.STABLE, every_s=5)
    assert made.status.latest.result is Result.PROMOTED
    return made


def pins_when_first_shifted(made):
    return next(weight for weight in made.router.applied if weight.weight_bp > 0).pins


def condition(made, kind):
    answers = conditions_of(made.status, "v2", (), generation=1, now=made.clock.at)
    return next(answer for answer in answers if answer.type is kind)


def test_both_versions_keep_their_conversations_before_the_first_weight():
    made = world()
    made.run(600, until=Phase.OBSERVING)
    assert pins_when_first_shifted(made) == Pins(versions=("v1", "v2"), started="v1")
    first = next(index for index, weight in enumerate(made.router.applied) if weight.weight_bp > 0)
    assert any(weight.pins and weight.weight_bp == 0 for weight in made.router.applied[:first]), "pins came first"


def test_without_pins_declared_nothing_is_pinned_or_drained():
    made = World()
    made.run(4 * 3600, until=Phase.STABLE, every_s=5)
    assert made.status.pins is None and made.status.draining == {}
    assert not any(weight.pins for weight in made.router.applied)


def test_clients_that_choose_their_ids_have_their_started_conversations_split():
    made = world(started="split")
    made.run(600, until=Phase.OBSERVING)
    assert pins_when_first_shifted(made) == Pins(versions=("v1", "v2"), started=None)


def test_the_version_that_lost_keeps_its_conversations_until_none_is_open():
    made = world()
    made.conversations.counts = {"v1": 3, "v2": 9}
    released(made)
    assert made.router.effective.pins.versions == ("v1",), "it gets no new ones, and keeps its own"
    made.run(60, every_s=5)
    assert made.status.draining["v1"].open == 3
    assert condition(made, ConditionType.DRAINING).status == "True"
    assert "v1 (3 conversations)" in condition(made, ConditionType.DRAINING).message
    made.conversations.counts["v1"] = 0
    made.run(60, every_s=5)
    assert made.status.draining == {} and not made.router.effective.pins
    assert condition(made, ConditionType.DRAINED).status == "True"
    assert any("v1 is drained" in decision.message for decision in made.status_store.decisions)


def test_a_census_that_is_not_known_is_not_zero():
    made = released(world())
    made.run(9 * 60, every_s=5)
    assert made.status.draining["v1"].open is None and made.status.draining["v1"].problem
    assert made.router.effective.pins.versions == ("v1",)


@pytest.mark.parametrize(
    ("then", "old", "stays"),
    [("keep", SAME, True), ("handOver", SAME, False), ("handOver", contract(asks="plan"), True), ("end", SAME, False)],
)
def test_at_the_deadline_conversations_are_kept_handed_over_where_that_is_safe_or_ended(then, old, stays):
    made = world(drain={"then": then})
    made.declare(contract=World(contract={"http": {}}).status_store.rollout.spec.contract)
    made.states.texts = {v: FetchedContract(text=json.dumps(text)) for v, text in (("v1", old), ("v2", SAME))}
    made.conversations.counts = {"v1": 2}
    released(made)
    made.run(700, every_s=5)
    assert ("v1" in made.router.effective.pins.versions) is stays
    assert ("v1" in made.status.draining) is stays
    if stays:
        assert made.status.draining["v1"].late
        made.run(60, every_s=5)
        told = [each for each in made.status_store.decisions if "deadline" in each.message]
        assert len(told) == 1, "it is told once"


def test_three_versions_live_at_once_each_with_its_own_conversations():
    made = world()
    made.conversations.counts = {"v1": 2, "v2": 5, "v3": 1}
    released(made)
    made.declare(version="v3")
    made.run(1200, until=Phase.OBSERVING)
    assert made.router.effective.pins == Pins(versions=("v2", "v3", "v1"), started="v1"), (
        "who has no pin began on v1, or before, and v2 is not known to read that"
    )
    assert made.status.draining["v1"].open == 2


def test_a_rollback_leaves_the_candidates_conversations_where_they_are_until_they_end():
    made = world()
    made.behaviour["v2"] = Behaviour(tasks=0.9)
    made.conversations.counts = {"v2": 4}
    made.run(4 * 3600, until=Phase.ROLLED_BACK)
    assert made.status.latest.result is Result.ROLLED_BACK
    made.run(60, every_s=5)
    assert made.router.effective.weight_bp == 0 and made.router.effective.pins.versions == ("v2",)
    made.conversations.counts["v2"] = 0
    made.run(60, every_s=5)
    assert not made.router.effective.pins and made.status.draining == {}


@pytest.mark.parametrize(("new", "moves"), [(SAME, True), (RENAMED, False)])
def test_conversations_move_at_a_rollback_where_the_policy_says_so_and_stable_reads_them(new, moves):
    made = world(policy={"reactions": {"worse": {"then": "rollback", "started": "move"}}})
    made.declare(contract=World(contract={"http": {}}).status_store.rollout.spec.contract)
    made.states.texts = {v: FetchedContract(text=json.dumps(text)) for v, text in (("v1", SAME), ("v2", new))}
    made.behaviour["v2"] = Behaviour(tasks=0.9)
    made.run(4 * 3600, until=Phase.ROLLED_BACK)
    assert made.status.latest.result is Result.ROLLED_BACK
    assert ("v2" in made.status.draining) is not moves


def test_a_candidate_that_is_down_keeps_nobody():
    made = world()
    made.run(600, until=Phase.OBSERVING)
    made.workloads.down.add("v2")
    made.run(1200, until=Phase.ROLLED_BACK)
    assert made.status.reason is Reason.CANDIDATE_DOWN
    assert "v2" not in made.router.effective.pins.versions and made.status.draining == {}


def test_a_drained_version_that_answers_no_more_keeps_nobody_and_that_is_told():
    made = world()
    made.conversations.counts = {"v1": 3}
    released(made)
    made.workloads.down.add("v1")
    made.run(30)
    made.workloads.down.clear()
    made.run(40)
    assert "v1" in made.router.effective.pins.versions, "a pod that comes up again elsewhere"
    made.workloads.down.add("v1")
    made.run(70)
    assert "v1" not in made.router.effective.pins.versions
    assert any("v1 does not answer any more" in each.message for each in made.status_store.decisions)


def test_what_would_break_a_conversation_that_moves_blocks_nobody_where_none_does():
    made = world()
    made.declare(contract=World(contract={"http": {}}).status_store.rollout.spec.contract)
    made.states.texts = {v: FetchedContract(text=json.dumps(text)) for v, text in (("v1", SAME), ("v2", RENAMED))}
    made.conversations.counts = {"v1": 1}
    released(made)
    assert made.router.effective.pins == Pins(versions=("v1",), started="v1"), "v2 would end what waits at approve"


def test_what_concerns_the_tables_of_all_conversations_blocks_all_the_same():
    made = world()
    made.declare(contract=World(contract={"http": {}}).status_store.rollout.spec.contract)
    older = {**SAME, "framework": {"name": "langgraph", "libs": {"langgraph": "0.2.0"}}}
    made.states.texts = {v: FetchedContract(text=json.dumps(text)) for v, text in (("v1", older), ("v2", SAME))}
    made.run(900, until=Phase.ROLLED_BACK)
    assert made.status.reason in (Reason.STATE_INCOMPATIBLE, Reason.STATE_UNKNOWN), made.status.message


def test_started_conversations_that_are_split_are_still_protected_by_the_state_gate():
    made = world(started="split")
    made.declare(contract=World(contract={"http": {}}).status_store.rollout.spec.contract)
    made.states.texts = {v: FetchedContract(text=json.dumps(text)) for v, text in (("v1", SAME), ("v2", RENAMED))}
    made.run(900, until=Phase.ROLLED_BACK)
    assert made.status.reason is Reason.STATE_INCOMPATIBLE


def test_an_undo_goes_back_to_a_version_that_is_drained_and_both_keep_their_conversations():
    made = world(
        policy={"canary": {"steps": [{"weight": "10%", "for": "1m"}], "bake": {"for": "1m"}, "standby": {"for": "2h"}}}
    )
    made.conversations.counts = {"v1": 3, "v2": 2}
    released(made)
    made.command("undo")
    made.run(1, until=Phase.ROLLING_BACK)
    assert set(made.router.effective.pins.versions) == {"v1", "v2"}
    made.run(60)
    assert made.status.stable_version == "v1" and list(made.status.draining) == ["v2"]
    assert made.router.effective.pins == Pins(versions=("v2",)), "who has no pin began on v1, or before"


def test_a_version_is_scaled_down_once_it_is_drained_and_nobody_may_need_to_go_back():
    made = world(drain={"scaleDown": True})
    made.conversations.counts = {"v1": 0}
    spec = made.status_store.rollout.spec
    made.declare(backends=spec.backends.model_copy(update={"deployment": "$name-$version"}))
    released(made)
    made.run(120, every_s=5)
    assert "v1" in made.workloads.sleeping and made.status.draining == {}
    assert "v2" not in made.workloads.sleeping


def test_a_controller_that_is_killed_loses_no_pin():
    made = world()
    made.conversations.counts = {"v1": 3}
    made.run(600, until=Phase.OBSERVING)
    again = made.fork()
    for version in (made, again):
        released(version)
    assert made.router.effective.pins == again.router.effective.pins == Pins(versions=("v1",), started="v1")


def draining(**options):
    """v2 is promoted, and v1 has three conversations left."""
    made = world(**options)
    made.conversations.counts = {"v1": 3}
    released(made)
    made.run(20, every_s=5)
    assert made.status.draining["v1"].open == 3
    return made


def test_an_abort_where_there_is_nothing_to_abort_ends_no_drain():
    made = draining()
    made.command("abort")
    made.run(20)
    assert "v1" in made.router.effective.pins.versions and made.status.draining["v1"].open == 3


def test_what_cannot_be_asked_for_a_moment_ends_no_drain():
    made = draining()
    made.declare(version="v3")
    made.run(1200, until=Phase.OBSERVING)
    ready = made.workloads.ready

    def away(*_):
        raise ClusterUnavailable("away")

    made.workloads.ready = away
    made.run(5)
    made.workloads.ready = ready
    made.run(20)
    assert "v1" in made.router.effective.pins.versions


@pytest.mark.parametrize("verb", ["declared again", "retried"])
def test_a_version_that_is_tried_again_and_refused_is_drained_as_before(verb):
    made = draining()
    if verb == "declared again":
        version = "v1"
        made.metrics.failing = {"errors", "tasks"}
        made.declare(version="v1")
    else:
        version = "v3"
        made.behaviour["v3"] = Behaviour(tasks=0.9)
        made.declare(version="v3")
        made.conversations.counts["v3"] = 4
        made.run(4 * 3600, until=Phase.ROLLED_BACK)
        made.metrics.failing = {"errors", "tasks"}
        made.command("retry")
    made.run(1500, every_s=5)
    assert made.status.phase is Phase.ROLLED_BACK and made.status.latest.result is Result.STOPPED
    assert version in made.router.effective.pins.versions and version in made.status.draining


def test_a_stable_version_that_was_down_and_passed_keeps_nobody():
    made = world(policy={"reactions": {"stableDown": "promote"}})
    made.workloads.down.add("v1")
    made.run(3600, until=Phase.STABLE, every_s=5)
    assert made.status.stable_version == "v2" and made.status.draining == {}
    assert not any("v1" in weight.pins.versions for weight in made.router.applied)


def test_a_candidate_that_never_had_a_request_is_not_drained():
    made = world()
    made.declare(paused=True)
    made.run(120)
    assert made.status.phase is Phase.PAUSED and not made.router.effective.pins
    made.command("abort")
    made.run(60)
    assert made.status.draining == {} and made.status.pins is None


def test_an_abort_keeps_nobody_on_a_candidate_that_is_down():
    made = world()
    made.run(600, until=Phase.OBSERVING)
    made.declare(paused=True)
    made.run(5)
    made.workloads.down.add("v2")
    for _ in range(200):
        made.run(1)
        if made.status.latest.unready_samples >= 3 or not made.status.is_active:
            break
    made.command("abort")
    made.run(30)
    assert "v2" not in made.router.effective.pins.versions


def losing(share):
    made = world()
    made.metrics.unpinned = share
    made.run(600, until=Phase.OBSERVING)
    made.run(300, every_s=5)
    return made


def test_pins_that_do_not_arrive_pause_the_release_and_name_the_header():
    made = losing(0.5)
    assert (made.status.phase, made.status.reason) == (Phase.PAUSED, Reason.PINS_LOST)
    assert "the header x-agent-version" in made.status.message
    made.command("resume")
    made.run(300, every_s=5)
    assert made.status.reason is Reason.PINS_LOST, "it pauses again where nothing was mended"
    made.metrics.unpinned = 0.0
    made.run(60, every_s=5)
    made.command("resume")
    made.run(60, every_s=5)
    assert made.status.phase is not Phase.PAUSED, "and goes on where pins arrive again"


@pytest.mark.parametrize("share", [None, 0.0, 0.05], ids=["nobody counts", "all arrive", "a client repeats itself"])
def test_pins_that_arrive_stop_nothing(share):
    made = losing(share)
    assert made.status.phase is not Phase.PAUSED


def test_a_count_from_before_the_version_lost_says_nothing():
    made = world()
    made.conversations.counts = {"v1": 0}
    made.conversations.age_s = 50.0
    released(made)
    made.run(40)
    assert "v1" in made.router.effective.pins.versions, "what was counted before it lost"
    made.conversations.age_s = 0.0
    made.run(40)
    assert made.status.draining == {}
