"""The state gate in the engine: what blocks a release, what clears it, and where there is no way back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from rollout.engine.conditions import conditions_of
from rollout.engine.facts import FetchedContract
from rollout.model.agent_state import Census
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.world import World, policy

MODEL = {"type": "object", "properties": {"topic": {"type": "string"}}}


NOBODY = Census(at="2026-01-01T00:00:00Z", threads=9, complete=True)


def contract(nodes=("plan", "approve"), properties=None, asks="approve", **more):
    state = {"type": "object", "properties": {"topic": {"type": "string"}, **(properties or {})}}
    return {
        "contractVersion": 1,
        "framework": {"name": "langgraph", "libs": {"langgraph": "1.2.0"}},
        "state": {"kind": "pydantic", "writer": state, "reader": state},
        "channels": {name: {"kind": "LastValue"} for name in state["properties"]},
        "nodes": {name: {"interruptCalls": ["ok?"] if name == asks else []} for name in nodes},
        **more,
    }


SAME = contract()
RENAMED = contract(nodes=("plan", "confirm"), asks="confirm")
WIDER = contract(properties={"kind": {"type": ["string", "null"]}})
KIND = contract(properties={"kind": {"type": "string"}})


def world(old, new, gate=None, store=False, **options):
    changes = {"contract": {"http": {}}}
    if store:
        changes["stateStore"] = {"sqlite": {"path": "/threads.sqlite"}}
    gates = {} if gate is None else {"gates": {"state": gate}}
    found = World(policy(**gates), **changes, **options)
    for version, told in (("v1", old), ("v2", new)):
        if told is not None:
            found.states.texts[version] = (
                told if isinstance(told, FetchedContract) else FetchedContract(text=json.dumps(told))
            )
    return found


def served(found):
    """Whether the candidate ever had a share."""
    return any(weight.weight_bp > 0 for weight in found.router.applied)


def test_versions_that_go_together_are_released_and_the_contract_is_kept():
    found = world(SAME, SAME)
    assert found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED
    assert found.status.contracts["v2"].text and found.status.latest.state.verdict.backward == "ok"


@pytest.mark.parametrize("require", ["full", "backward"])
def test_a_renamed_node_is_stopped_at_once_and_before_any_traffic(require):
    found = world(SAME, RENAMED, {"require": require})
    status = found.run(60, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.STOPPED and status.reason is Reason.STATE_INCOMPATIBLE
    assert "NODE_REMOVED /nodes/approve" in status.message and not served(found)


def test_what_is_not_asked_for_does_not_block():
    found = world(KIND, WIDER, {"require": "backward"})
    assert found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED


@pytest.mark.parametrize(
    ("require", "stopped"), [("full", True), ("forward", True), ("backward", False), ("none", False)]
)
def test_a_candidate_whose_writing_stable_cannot_read_is_stopped_where_a_rollback_must_be_safe(require, stopped):
    found = world(KIND, WIDER, {"require": require})
    found.run(200)
    assert (found.status.reason is Reason.STATE_INCOMPATIBLE) is stopped and served(found) is not stopped


@pytest.mark.parametrize(
    "missing",
    [
        None,
        FetchedContract(problem="refused"),
        FetchedContract(text="{"),
        FetchedContract(text='{"contractVersion": 7}'),
    ],
)
def test_a_contract_that_cannot_be_had_blocks_and_is_no_pass(missing):
    found = world(SAME, missing)
    found.run(300)
    assert found.status.phase is Phase.PREFLIGHT and found.status.reason is Reason.STATE_UNKNOWN and not served(found)
    assert found.run(600, until=Phase.ROLLED_BACK).latest.result is Result.STOPPED


def test_a_contract_that_comes_late_lets_the_rollout_go_on():
    found = world(SAME, None)
    found.run(60)
    found.states.texts["v2"] = FetchedContract(text=json.dumps(SAME))
    assert found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED


def test_what_cannot_be_told_passes_where_the_policy_says_so():
    found = world(SAME, None, {"onUnknown": "warn"})
    assert found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED


def test_without_a_contract_declared_nothing_is_checked():
    found = World()
    assert (
        found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED and found.status.latest.state is None
    )


@pytest.mark.parametrize("stable", [SAME, MODEL])
def test_a_bare_schema_is_no_pass_for_a_graph(stable):
    found = world(stable, MODEL)
    found.run(60)
    assert found.status.reason is Reason.STATE_UNKNOWN and "NO_TOPOLOGY" in found.status.message


def test_the_contract_that_counts_for_stable_is_the_one_it_was_promoted_with():
    found = world(SAME, SAME)
    found.run(20_000, until=Phase.STABLE)
    found.states.texts |= {
        "v2": FetchedContract(text=json.dumps(RENAMED)),
        "v3": FetchedContract(text=json.dumps(RENAMED)),
    }
    found.declare(version="v3")
    assert found.run(60, until=Phase.ROLLED_BACK).reason is Reason.STATE_INCOMPATIBLE


def test_a_contract_too_large_to_keep_must_still_be_the_one_it_was_promoted_with():
    found = world(SAME, SAME)
    found.run(20_000, until=Phase.STABLE)
    kept = found.status.contracts["v2"].model_copy(update={"text": ""})
    rollout = found.status_store.rollout
    status = rollout.status.model_copy(update={"contracts": {"v2": kept}})
    found.status_store.rollout = replace(rollout, status=status)
    found.states.texts |= {"v2": FetchedContract(text=json.dumps(WIDER)), "v3": FetchedContract(text=json.dumps(SAME))}
    found.declare(version="v3")
    found.run(60)
    assert found.status.reason is Reason.STATE_UNKNOWN, found.status.message
    assert "v2 is not the one that it was promoted with" in found.status.message
    found.states.texts["v2"] = FetchedContract(text=json.dumps(SAME))
    assert found.run(200, until=Phase.OBSERVING).candidate_version == "v3"


WAIVER = {"code": "NODE_REMOVED", "pointer": "/nodes/approve", "reason": "nobody uses it", "owner": "ada"}


@pytest.mark.parametrize(("expires", "passes"), [("2030-01-01", True), ("2025-12-31", False)])
def test_a_waiver_lets_pass_until_its_day(expires, passes):
    waivers = [{**WAIVER, "expires": expires}]
    found = world(SAME, RENAMED, {"require": "backward", "waivers": waivers})
    found.run(200)
    assert served(found) is passes


def test_what_harms_in_silence_is_waived_only_in_as_many_words():
    asks = contract()
    asks["nodes"]["approve"]["interruptCalls"] = ["sure?", "ok?"]
    waiver = {"code": "INTERRUPT_ORDER", "reason": "r", "owner": "ada", "expires": date(2030, 1, 1).isoformat()}
    for unsafe in (False, True):
        found = world(SAME, asks, {"waivers": [{**waiver, "acceptUnsafe": unsafe}]})
        found.run(200)
        assert served(found) is unsafe


@pytest.mark.parametrize("require", ["backward", "forward"])
def test_nothing_gets_lost_among_many_findings(require):
    """Thirty nodes went, which a look clears; what no look clears still counts, in either direction."""
    many = [f"n{number}" for number in range(30)]
    old, new = contract(nodes=("plan", *many), properties={"kind": {"type": "string"}}), contract(nodes=("plan",))
    if require == "forward":
        old, new = new, old
    for state in (old["state"]["writer"], new["state"]["writer"]):
        state["required"] = sorted(state["properties"])
    found = world(old, new, {"require": require}, store=True)
    found.states.seen = NOBODY
    found.run(60)
    assert found.status.reason is Reason.STATE_INCOMPATIBLE and not served(found)


# -- live conversations ------------------------------------------------------------------------------------------------


def test_a_census_that_finds_nobody_waiting_clears_a_node_that_went():
    found = world(SAME, RENAMED, {"require": "backward"}, store=True)
    found.states.seen = NOBODY
    assert found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED


@pytest.mark.parametrize(
    "changes", [{"waiting": {"approve": 2}}, {"complete": False}, {"problem": "the store is down", "complete": False}]
)
def test_a_census_that_finds_somebody_or_not_everybody_clears_nothing(changes):
    found = world(SAME, RENAMED, {"require": "backward"}, store=True)
    found.states.seen = NOBODY.model_copy(update=changes)
    found.run(100)
    assert found.status.reason is Reason.STATE_INCOMPATIBLE and not served(found)


def test_no_traffic_moves_before_live_conversations_were_looked_at():
    found = world(SAME, SAME, store=True)
    found.run(120)
    assert found.status.phase is Phase.PREFLIGHT and "live conversations" in found.status.message
    found.states.seen = NOBODY
    assert found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED


def test_a_store_that_is_down_blocks_before_traffic_and_stops_no_rollout_under_way():
    down = NOBODY.model_copy(update={"problem": "the store is down", "complete": False, "threads": 0})
    found = world(SAME, SAME, store=True)
    found.states.seen = down
    found.run(100)
    assert found.status.reason is Reason.STATE_UNKNOWN and not served(found)
    found.states.seen = NOBODY
    found.run(2_000, until=Phase.OBSERVING)
    found.states.seen = down
    assert found.run(20_000, until=Phase.DRAINING).latest.result is Result.PROMOTED


def test_conversations_that_the_candidate_cannot_read_stop_it_whatever_the_contracts_say():
    found = world(SAME, SAME, store=True)
    found.states.seen = NOBODY.model_copy(update={"backward": 3, "backward_reasons": {"value of topic": 3}})
    status = found.run(60, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.STOPPED and "value of topic (3)" in status.message and not served(found)


def test_conversations_that_come_to_wait_where_the_candidate_has_no_node_send_it_back():
    found = world(SAME, RENAMED, {"require": "backward"}, store=True)
    found.states.seen = NOBODY
    found.run(2_000, until=Phase.OBSERVING)
    found.states.seen = NOBODY.model_copy(update={"backward": 1, "backward_reasons": {"node approve": 1}})
    status = found.run(100, until=Phase.ROLLED_BACK)
    assert status.reason is Reason.STATE_INCOMPATIBLE and status.latest.result is Result.ROLLED_BACK


def test_conversations_that_only_the_other_direction_concerns_send_nobody_back():
    found = world(SAME, SAME, {"require": "forward"}, store=True)
    found.states.seen = NOBODY
    found.run(2_000, until=Phase.OBSERVING)
    found.states.seen = NOBODY.model_copy(update={"backward": 1, "backward_reasons": {"node approve": 1}})
    assert found.run(100).phase is not Phase.ROLLED_BACK


# -- the point of no return --------------------------------------------------------------------------------------------


def past_no_return(gate, **behaviour):
    found = world(KIND, WIDER, {"require": "backward", **gate}, store=True)
    found.states.seen = NOBODY
    found.run(2_000, until=Phase.OBSERVING)
    assert found.status.latest.state.no_return_at is None
    found.states.seen = NOBODY.model_copy(update={"forward": 7, "forward_reasons": {"value of kind": 7}})
    found.run(30)
    for name, share in behaviour.items():
        setattr(found.behaviour["v2"], name, share)
    return found


def test_the_point_of_no_return_is_told_with_how_many_it_concerns():
    found = past_no_return({})
    state = found.status.latest.state
    assert state.no_return_at is not None and state.affected == 7
    told = [each.message for each in found.status_store.decisions if "point of no return" in each.message]
    assert len(told) == 1 and "7 conversations" in told[0]
    conditions = conditions_of(found.status, "v2", (), generation=1, now=found.clock.at)
    compatible = next(each for each in conditions if each.type == "StateCompatible")
    assert compatible.status == "False" and "7 conversations" in compatible.message


def test_a_worse_candidate_that_cannot_be_taken_back_without_harm_is_frozen():
    found = past_no_return({}, tasks=0.6)
    status = found.run(20_000, until=Phase.FROZEN)
    assert status.phase is Phase.FROZEN and "7 conversations" in status.message and "Not rolled back" in status.message
    found.command("abort")
    assert found.run(100, until=Phase.ROLLED_BACK).latest.result is Result.ABORTED


def test_a_paused_release_that_cannot_be_taken_back_without_harm_is_frozen_too():
    found = past_no_return({}, tasks=0.6)
    found.command("pause")
    found.run(20)
    status = found.run(20_000, until=Phase.FROZEN)
    assert status.phase is Phase.FROZEN and "Not rolled back" in status.message, status.message


def test_a_worse_candidate_is_taken_back_at_a_price_where_the_policy_says_so():
    found = past_no_return({"pastNoReturn": "rollback"}, tasks=0.6)
    status = found.run(20_000, until=Phase.ROLLED_BACK)
    assert (
        status.latest.result is Result.ROLLED_BACK
        and "It costs" in status.message
        and "7 conversations" in status.message
    )


def test_without_a_store_the_point_of_no_return_is_the_first_traffic_and_nobody_can_count():
    found = world(KIND, WIDER, {"require": "backward"})
    found.run(2_000, until=Phase.OBSERVING)
    found.run(5)
    assert found.status.latest.state.no_return_at is not None and found.status.latest.state.affected is None
    found.behaviour["v2"].tasks = 0.6
    assert "their number is not known" in found.run(20_000, until=Phase.FROZEN).message


def test_what_nobody_can_count_any_more_is_feared_and_cleared_by_the_next_count():
    found = world(KIND, WIDER, {"require": "backward"}, store=True)
    found.states.seen = NOBODY
    found.run(2_000, until=Phase.OBSERVING)
    found.states.seen = NOBODY.model_copy(update={"problem": "the store is down"})
    found.run(5)
    assert found.status.latest.state.no_return_at is not None and found.status.latest.state.affected is None
    found.states.seen = NOBODY
    found.run(5)
    assert found.status.latest.state.no_return_at is None


def test_a_contract_that_is_edited_away_in_mid_flight_leaves_the_gate_in_force():
    found = past_no_return({})
    found.declare(contract=None)
    found.behaviour["v2"].tasks = 0.6
    assert found.run(20_000, until=Phase.FROZEN).phase is Phase.FROZEN


def test_an_undo_is_not_held_up_by_contracts():
    found = world(SAME, WIDER, {"require": "backward"})
    found.run(20_000, until=Phase.STABLE)
    found.states.texts.clear()
    found.command("undo")
    found.run(4_000, until=Phase.STABLE)
    assert found.run(20_000, until=Phase.STABLE).stable_version == "v1"
