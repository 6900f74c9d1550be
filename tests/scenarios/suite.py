"""One suite of scenarios over both wirings: whatever exists on one machine and in a cluster behaves the same there.

test_machine.py and test_cluster.py run it, side by side.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import threading
from contextlib import ExitStack

import pytest

from rollout.engine.facts import DrainOrder
from tests.fakes import agents
from tests.fakes.http import hook, serving

HOLDS = {"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}}
ALWAYS = {"cron": "* * * * *", "for": "24h"}


@pytest.fixture
def world(request, tmp_path):
    """Make a world of the wiring of the module that runs the suite."""
    with ExitStack() as opened:
        yield lambda **more: opened.enter_context(request.module.WIRING(tmp_path, **more))


def policy(**changes):
    return agents.policy(**changes)


def blue_green(**changes):
    made = agents.policy(**changes)
    del made["spec"]["canary"]
    made["spec"]["blueGreen"] = {"preview": {"for": "500ms"}, "bake": {"for": "500ms"}, "standby": {"for": "10m"}}
    return made


# -- conversations -----------------------------------------------------------------------------------------------------

PINNED = {
    "pin": {"header": "x-agent-version"},
    "census": {"gauge": 'agent_conversations_open{version="$version"}'},
    "turns": 1,
}


def test_started_conversations_stay_and_the_old_version_is_drained_once_none_is_open(world):
    made = world(conversations=PINNED)
    made.open_conversations(v1=2, v2=1)
    made.settled("v1")
    made.want("v2")
    made.until(lambda _: made.pinned() == {"v1", "v2"})
    made.settled("v2")
    made.until(lambda status: status.get("draining", {}).get("v1", {}).get("open") == 2)
    assert made.pinned() == {"v1"}
    made.open_conversations(v1=0)
    made.until(lambda status: not status.get("draining"))
    assert made.pinned() == set()


def test_a_rollback_leaves_the_candidates_conversations_on_it_until_none_is_open(world):
    made = world(conversations=PINNED)
    made.open_conversations(v1=2, v2=3)
    made.fails["v2"] = 0.6
    made.settled("v1")
    made.want("v2")
    made.phase("RolledBack")
    made.all_on("v1")
    made.until(lambda status: status.get("draining", {}).get("v2", {}).get("open") == 3)
    assert made.pinned() == {"v2"}
    made.open_conversations(v2=0)
    made.until(lambda status: not status.get("draining"))
    assert made.pinned() == set()


def test_a_drain_that_is_ended_by_hand_leaves_no_pin(world):
    made = world(conversations=PINNED)
    made.open_conversations(v1=2, v2=1)
    made.settled("v1")
    made.want("v2")
    made.settled("v2")
    made.until(lambda status: status.get("draining", {}).get("v1", {}).get("open") == 2)
    assert made.pinned() == {"v1"}
    refused = made.ask("drain", drain=DrainOrder("v1", "handOver"))
    assert not refused["accepted"] and "no contract" in refused["message"], "nothing says that v2 reads them"
    answer = made.ask("drain", drain=DrainOrder("v1", "end"))
    assert answer["accepted"] and "2 conversations are ended" in answer["message"]
    made.until(lambda status: not status.get("draining"))
    assert made.pinned() == set()


# -- ends --------------------------------------------------------------------------------------------------------------


def test_a_good_version_is_promoted(world):
    made = world()
    made.settled("v1")
    made.want("v2")
    assert made.settled("v2")["result"] == "promoted"
    made.all_on("v2")


def test_a_worse_version_is_rolled_back(world):
    made = world()
    made.settled("v1")
    made.fails["v2"] = 0.6
    made.want("v2")
    assert "v2 is worse than v1" in made.phase("RolledBack")["message"]
    made.all_on("v1")


def test_a_blue_green_release_is_previewed_switched_and_undone_at_once(world):
    made = world(policy=blue_green())
    made.settled("v1")
    made.want("v2")
    assert made.settled("v2")["result"] == "promoted"
    assert made.ask("undo")["accepted"]
    made.until(lambda status: status["stableVersion"] == "v1")
    made.all_on("v1")


def test_a_third_version_in_mid_flight_first_sends_everything_back(world):
    made = world(policy=policy(canary=HOLDS))
    made.observing()
    made.list_third()
    made.want("v3")
    made.until(lambda status: status.get("candidateVersion") == "v3" and status["phase"] == "Observing")
    assert made.shares().get("v2", 0) == 0


# -- reactions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reaction", "phase"), [("pause", "Paused"), ("freeze", "Frozen")])
def test_harm_is_reacted_to_as_declared(world, reaction, phase):
    made = world(policy=policy(canary=HOLDS, reactions={"worse": reaction}))
    made.observing()
    made.fails["v2"] = 0.6
    assert made.phase(phase)["reason"] == "Worse"
    assert made.ask("abort")["accepted"]
    made.phase("RolledBack")
    made.all_on("v1")


def test_a_source_that_is_down_holds_the_weight_and_an_abort_does_not_wait_for_it(world):
    made = world(policy=policy(canary=HOLDS))
    made.observing()
    made.metrics_down(True)
    made.until(lambda status: status["reason"] == "SourceError")
    assert made.ask("abort")["accepted"]
    made.phase("RolledBack")
    made.all_on("v1")


def test_a_step_without_evidence_in_time_is_undecided(world):
    kpis = copy.deepcopy(agents.POLICY_SPEC["kpis"])
    kpis[0] |= {"margin": {"absolute": "0.1%"}, "promotionMargin": {"absolute": "0.1%"}}
    steps = [{"weight": "50%", "for": "200ms", "until": "evidence", "atMost": "1500ms"}]
    made = world(policy=policy(kpis=kpis, canary={"steps": steps}, reactions={"undecided": "rollback"}), rate=100)
    made.settled("v1")
    made.want("v2")
    assert made.phase("RolledBack")["reason"] == "Undecided"


def test_both_versions_beyond_their_bound_are_nobodys_fault(world):
    kpis = [{**copy.deepcopy(agents.POLICY_SPEC["kpis"][0]), "atMost": "10%"}]
    made = world(policy=policy(kpis=kpis, canary=HOLDS))
    made.observing()
    made.fails["v1"] = made.fails["v2"] = 0.5
    made.until(lambda status: status["reason"] == "EnvironmentDegraded" or status.get("environment"))
    assert made.status()["phase"] == "Observing"


def test_what_the_candidate_may_cost_is_capped(world):
    cap = {"counter": 'agent_cost_dollars_total{version="$version"}', "atMost": 2}
    made = world(policy=policy(canary=HOLDS, spendCap=cap))
    made.settled("v1")
    made.want("v2")
    assert made.phase("RolledBack")["reason"] == "SpendCapReached"
    made.all_on("v1")


# -- verbs ---------------------------------------------------------------------------------------------------------------


def test_a_rollout_is_paused_and_goes_on(world):
    made = world(policy=policy(canary=HOLDS))
    made.observing()
    assert made.ask("pause")["accepted"] and made.status()["phase"] == "Paused"
    assert not made.ask("pause")["accepted"], "it is paused already"
    assert made.ask("resume")["accepted"]
    made.phase("Observing")


def test_a_step_is_passed_by_hand(world):
    made = world(policy=policy(canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "300ms"}}))
    made.observing()
    made.until(lambda status: status["evidence"]["task-success"]["allS"] > 200)
    assert made.ask("promote")["accepted"]
    made.settled("v2")


def test_a_rolled_back_version_is_tried_again(world):
    made = world(policy=policy(canary=HOLDS))
    made.observing()
    made.ask("abort")
    made.phase("RolledBack")
    assert made.ask("retry")["accepted"]
    made.phase("Observing")


def test_an_abort_where_there_is_nothing_to_abort_is_done_already_and_says_so(world):
    made = world()
    made.settled("v1")
    answer = made.ask("abort")
    assert answer["accepted"] and "nothing to abort" in answer["message"] and "v1" in answer["message"]


def test_spec_paused_holds_and_lets_go(world):
    made = world(policy=policy(canary=HOLDS))
    made.observing()
    made.pause_spec(True)
    assert made.phase("Paused")["heldBy"] == "spec"
    made.pause_spec(False)
    assert "heldBy" not in made.phase("Observing")


# -- gates ---------------------------------------------------------------------------------------------------------------


def test_a_step_waits_for_its_approval(world):
    steps = [{"weight": "10%", "for": "200ms"}, {"weight": "50%", "for": "200ms", "approval": "required"}]
    made = world(policy=policy(canary={"steps": steps, "bake": {"for": "300ms"}}))
    made.settled("v1")
    made.want("v2")
    made.until(lambda status: status["phase"] == "Paused" and status["reason"] == "ApprovalRequired")
    assert made.ask("approve")["accepted"]
    made.settled("v2")


def test_a_freeze_keeps_traffic_away_until_a_human_waives_it(world):
    made = world(policy=policy(canary=HOLDS, gates={"freezes": [ALWAYS]}))
    made.settled("v1")
    made.want("v2")
    made.until(lambda status: status["reason"] == "WindowClosed")
    assert sum(made.shares().values()) == made.shares()["v1"]
    assert made.ask("approve")["accepted"]
    made.phase("Observing")


def test_a_release_window_that_is_open_lets_traffic_move(world):
    made = world(policy=policy(gates={"windows": [ALWAYS]}))
    made.settled("v1")
    made.want("v2")
    assert made.settled("v2")["result"] == "promoted"


@pytest.mark.parametrize("when", ["before-traffic", "before-step", "before-promotion"])
def test_a_webhook_that_says_yes_is_asked_and_told_where_the_versions_are(world, when):
    with hook(True) as (url, asked):
        made = world(policy=policy(gates={"webhooks": [{"name": "evals", "url": url, "when": when}]}))
        made.settled("v1")
        made.want("v2")
        made.settled("v2")
        assert asked and all(each["urls"]["stable"] and each["urls"]["candidate"] for each in asked)
        assert asked[0]["urls"]["stable"] != asked[0]["urls"]["candidate"]


@pytest.mark.parametrize("when", ["before-traffic", "before-step", "before-promotion"])
def test_a_webhook_that_says_no_stops_the_release(world, when):
    with hook(False) as (url, _):
        made = world(policy=policy(gates={"webhooks": [{"name": "evals", "url": url, "when": when}]}))
        made.settled("v1")
        made.want("v2")
        status = made.phase("RolledBack")
        assert status["reason"] == "CheckFailed" and "said" in status["message"]
        made.all_on("v1")


def test_a_webhook_without_a_verdict_in_time_is_neither_yes_nor_no(world):
    gate = {"name": "evals", "when": "before-step", "timeout": "1s", "pollEvery": "200ms"}
    with hook(None) as (url, _):
        made = world(policy=policy(gates={"webhooks": [{**gate, "url": url}]}))
        made.settled("v1")
        made.want("v2")
        assert made.until(lambda status: status["phase"] == "Paused")["reason"] == "CheckLate"


def test_a_preview_is_checked_before_the_first_user(world):
    with hook(False) as (url, _):
        made = world(policy=blue_green(gates={"webhooks": [{"name": "evals", "url": url}]}))
        made.settled("v1")
        made.want("v2")
        assert made.phase("RolledBack")["result"] == "stopped-by-a-gate"
        made.all_on("v1")


# -- notifications -----------------------------------------------------------------------------------------------------

SIGNING_SECRET = b"a key that proves the events of a release"
SIGNING_KEY = "whsec_" + base64.b64encode(SIGNING_SECRET).decode()


def bus(world_secret, url, **more):
    return {"targets": [{"name": "bus", "webhook": {"url": url, "key": world_secret}, **more}]}


@pytest.fixture
def secret(request):
    """How a policy of the wiring names a secret."""
    return request.module.WIRING.secret


def test_a_program_is_told_of_a_release_by_events_that_it_can_prove(world, secret):
    received = []
    with serving(lambda *told: received.append(told[2:]) or "{}", with_headers=True) as address:
        made = world(policy=policy(notifications=bus(secret, f"http://{address}/events")))
        made.keep_secret(SIGNING_KEY)
        made.settled("v1")
        made.want("v2")
        made.settled("v2")
        made.until(lambda status: not status.get("notices"))
    for body, headers in received:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        proof = base64.b64encode(hmac.new(SIGNING_SECRET, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{proof}"
    events = [json.loads(body) for body, _ in received]
    kinds = [event["data"]["event"] for event in events]
    assert {"started", "stepPassed", "promoted"} <= set(kinds)
    assert len({event["id"] for event in events}) == len(events), "each is told once"


def test_a_rollback_waits_for_nobody_who_is_to_be_told(world, secret):
    release = threading.Event()
    with serving(lambda *_: release.wait(60) and None) as address:
        made = world(policy=policy(canary=HOLDS, notifications=bus(secret, f"http://{address}/events")))
        made.keep_secret(SIGNING_KEY)
        made.observing()
        assert made.ask("abort")["accepted"]
        made.phase("RolledBack")
        made.all_on("v1")
        assert made.status()["notices"], "and nobody was told yet"
        release.set()


def test_what_an_approval_waits_for_is_told_to_a_chat(world, secret):
    pytest.importorskip("apprise", reason="apprise is not installed")
    received = []
    steps = [{"weight": "50%", "for": "1s", "approval": "required"}]
    chat = {"targets": [{"name": "team", "events": ["needsApproval"], "apprise": {"url": secret}}]}
    with serving(lambda *told: received.append(json.loads(told[2])) or "{}") as address:
        made = world(policy=policy(canary={"steps": steps, "bake": {"for": "1s"}}, notifications=chat))
        made.keep_secret(f"json://{address}/team")
        made.settled("v1")
        made.want("v2")
        made.until(lambda status: status.get("heldBy") == "approval" and not status.get("notices"))
    assert [message["title"] for message in received] == ["agent: v2 needs an approval"]
    assert "waits for an approval" in received[0]["message"]


# -- the state gate ------------------------------------------------------------------------------------------------------


def test_state_that_the_candidate_cannot_read_blocks_before_any_traffic(world):
    inline = {"v1": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}
    inline["v2"] = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    made = world(policy=policy(gates={"state": {"require": "full"}}), contract={"inline": inline})
    made.settled("v1")
    made.want("v2")
    status = made.until(lambda status: status["reason"] in ("StateIncompatible", "StateUnknown"))
    assert status["phase"] in ("Preflight", "RolledBack")
    assert sum(made.shares().values()) == made.shares()["v1"]


def test_state_that_goes_together_holds_nothing_up(world):
    shape = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    gate = {"require": "full", "onUnknown": "warn"}
    made = world(policy=policy(gates={"state": gate}), contract={"inline": {"v1": shape, "v2": shape}})
    made.settled("v1")
    made.want("v2")
    assert made.settled("v2")["result"] == "promoted"
