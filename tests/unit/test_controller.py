"""The controller against a fake cluster: whole releases, everything people get wrong, everything that fails on the way."""

from __future__ import annotations

import copy
import json
import random
import threading
import time
from pathlib import Path

import pytest
import yaml

from rollout.cluster.kinds import CONFIG_MAP, DEPLOYMENT, HTTP_ROUTE, POLICY, ROLLOUT, SECRET, SERVICE
from rollout.daemon.controller import Controller, Settings
from rollout.records import journal
from rollout.records.annotations import ABORT, COMMAND
from rollout.records.clustered import FINALIZER
from tests.fakes import agents
from tests.fakes.cluster import Refusal
from tests.fakes.clustered import ClusterWorld
from tests.fakes.server import FakeApi

ROOT = Path(__file__).parents[2]


def settled(world, version="v1"):
    return world.until(lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable")


def released(world, version="v2"):
    settled(world)
    world.want(version)
    return settled(world, version)


def finalizers(world, name="agent"):
    return world.get(name)["metadata"].get("finalizers", [])


# -- whole releases ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["httpRoute", "grpcRoute", "virtualService"])
def test_a_good_version_is_promoted_and_the_route_is_left_as_it_was_but_for_two_weights(kind):
    with ClusterWorld(kind=kind) as world:
        before = world.api.get(world.route_kind, "default", "agent")
        status = released(world)
        assert status["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}
        world.until(lambda _: finalizers(world) == [])
        after = world.api.get(world.route_kind, "default", "agent")
        rule = (
            after["spec"]["http"][1]["route"] if kind == "virtualService" else after["spec"]["rules"][1]["backendRefs"]
        )
        rule[0]["weight"], rule[1]["weight"] = 100, 0
        assert after["spec"] == before["spec"]
        assert after["metadata"]["labels"] == before["metadata"]["labels"] and after["metadata"].get(
            "annotations"
        ) == before["metadata"].get("annotations")
        ready = world.condition("Ready")
        assert ready["status"] == "True" and ready["observedGeneration"] == world.get()["metadata"]["generation"]


def test_a_bad_version_is_rolled_back_and_the_resource_says_why():
    with ClusterWorld() as world:
        settled(world)
        world.fails["v2"] = 0.6
        world.want("v2")
        status = world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0} and "v2 is worse than v1" in status["message"]
        world.until(lambda _: finalizers(world) == [])
        assert world.condition("Stalled")["status"] == "True" and world.condition("Stalled")["reason"] == "Worse"
        assert world.condition("Ready")["status"] == "False"
        world.until(lambda _: any(kind == "Warning" and reason == "Worse" for kind, reason, _ in world.events()))
        decisions, releases = journal.read(world.api, "default", "agent")
        assert [release.result for release in releases] == ["rolled-back"]
        assert any("is worse" in decision.message for decision in decisions)
        owner = world.api.get(CONFIG_MAP, "default", "agent-rollout")["metadata"]["ownerReferences"][0]
        assert owner["uid"] == world.get()["metadata"]["uid"]


@pytest.mark.parametrize("weights", [(1, 0), (7, 0), (1000, 0)])
def test_the_base_of_the_weights_is_restored_exactly(weights):
    with ClusterWorld(weights=weights) as world:
        released(world)
        assert world.shares() == {"v1": 0, "v2": sum(weights)}


def test_a_base_that_can_express_every_step_is_kept_all_the_way():
    with ClusterWorld(weights=(20, 0)) as world:
        settled(world)
        seen = set()
        world.want("v2")

        def watch(status):
            seen.add(sum(world.shares().values()))
            return status.get("stableVersion") == "v2" and status["phase"] == "Stable"

        world.until(watch)
        assert seen == {20}


def test_a_third_version_in_mid_flight_first_sends_everything_back_to_stable():
    with ClusterWorld(
        policy=agents.policy(canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}})
    ) as world:
        settled(world)
        agents.version(world.api, "v3")
        world.want("v2")
        world.phase("Observing")
        found = world.api.get(HTTP_ROUTE, "default", "agent")
        refs = found["spec"]["rules"][1]["backendRefs"]
        operations = [
            {"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": {**refs[0], "name": "agent-v3", "weight": 0}}
        ]
        world.api.patch(HTTP_ROUTE, "default", "agent", operations)
        world.want("v3")
        world.until(lambda status: status.get("candidateVersion") == "v3" and status["phase"] == "Observing")
        assert world.shares()["v2"] == 0 and world.shares()["v3"] == world.shares()["v1"]


def test_at_rest_a_route_belongs_to_those_whose_it_is_and_what_they_do_is_told():
    with ClusterWorld() as world:
        released(world)
        settled(world, "v2")
        world.until(lambda _: world.condition("Ready")["status"] == "True")
        operations = [{"op": "replace", "path": f"/spec/rules/1/backendRefs/{at}/weight", "value": 50} for at in (0, 1)]
        world.api.patch(HTTP_ROUTE, "default", "agent", operations)
        world.until(lambda _: world.condition("Ready")["status"] == "False")
        assert world.condition("Ready")["reason"] == "WeightDrift" and "v1 50 %" in world.condition("Ready")["message"]
        world.until(lambda _: any(reason == "WeightDrift" for _, reason, _ in world.events()))
        assert world.shares() == {"v1": 50, "v2": 50}
        push(world, (0, 100))
        world.until(lambda _: world.condition("Ready")["status"] == "True")


def test_which_version_is_stable_is_never_guessed():
    with ClusterWorld(weights=(50, 50)) as world:
        world.until(lambda status: status.get("reason") == "StableUnknown")
        assert world.condition("Stalled")["status"] == "True"
        operations = [
            {"op": "replace", "path": f"/spec/rules/1/backendRefs/{at}/weight", "value": 100 - 100 * at}
            for at in (0, 1)
        ]
        world.api.patch(HTTP_ROUTE, "default", "agent", operations)
        settled(world)


# -- what people get wrong ---------------------------------------------------------------------------------------------


def break_spec(world, name="broken"):
    """Put a Rollout into the store that no definition would have let in."""
    found = agents.rollout(world.url, name=name)
    found["spec"]["routes"] = {"not": "a list"}
    found["spec"]["version"] = 7
    key = ("rollout.dev", "rollouts", "default", name)
    found["metadata"] |= {
        "namespace": "default",
        "uid": "u",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    with world.cluster.lock:
        world.cluster._store(key, found, "ADDED")


def test_a_malformed_rollout_in_the_watch_stops_no_other_and_recovers_when_it_is_mended():
    with ClusterWorld() as world:
        break_spec(world)
        released(world)
        stalled = world.condition("Stalled", "broken")
        assert (
            stalled["status"] == "True" and stalled["reason"] == "InvalidSpec" and "spec.routes" in stalled["message"]
        )
        fixed = agents.rollout(world.url, name="broken")["spec"]
        with world.cluster.lock:
            raw = copy.deepcopy(world.cluster.objects["rollout.dev", "rollouts", "default", "broken"])
            raw["spec"] = {
                **fixed,
                "routes": [{"httpRoute": {"name": "agent", "rule": "chat"}}],
                "backends": {"service": "agent-$version", "port": 8000},
            }
            raw["metadata"]["generation"] += 1
            world.cluster._store(("rollout.dev", "rollouts", "default", "broken"), raw, "MODIFIED")
        world.until(lambda _: world.status("broken").get("stableVersion") == "v2")


def test_a_policy_that_is_missing_or_wrong_is_told_and_mending_it_is_enough():
    with ClusterWorld(policyRef={"name": "later"}) as world:
        world.until(lambda _: world.condition("Stalled").get("reason") == "PolicyNotFound")
        world.until(lambda _: any(reason == "PolicyNotFound" for _, reason, _ in world.events()))
        wrong = agents.policy("later", gates={"commands": [{"name": "evals", "run": ["sh", "-c", "env"]}]})
        world.api.create(POLICY, "default", wrong)
        world.until(lambda _: world.condition("Stalled").get("reason") == "InvalidSpec")
        assert "inside the controller" in world.condition("Stalled")["message"]
        world.api.merge(POLICY, "default", "later", {"spec": {"gates": None}})
        settled(world)
        world.until(lambda _: world.condition("Stalled").get("status") == "False")


def test_a_policy_cannot_send_the_controllers_environment_away():
    hook = {"name": "h", "url": "https://evil.example", "auth": {"bearer": {"env": "AWS_SECRET_ACCESS_KEY"}}}
    with ClusterWorld(policy=agents.policy(gates={"webhooks": [hook]})) as world:
        world.until(lambda _: world.condition("Stalled").get("reason") == "InvalidSpec")
        assert "may not send away" in world.condition("Stalled")["message"]


def test_a_policy_that_vanishes_in_mid_flight_does_not_stop_what_has_pinned_it():
    with ClusterWorld() as world:
        settled(world)
        world.want("v2")
        world.phase("Shifting", "Observing")
        world.api.delete(POLICY, "default", "quick")
        world.until(lambda _: world.condition("Stalled").get("reason") == "PolicyNotFound")
        settled(world, "v2")
        world.until(lambda _: "PolicyNotFound" in {reason for _, reason, _ in world.events()})


def test_what_a_release_lacks_is_told_before_any_traffic_and_it_starts_once_it_is_there():
    with ClusterWorld(versions=("v1",), weights=(100,)) as world:
        settled(world)
        world.want("v3")
        status = world.until(lambda status: status.get("reason") == "BackendNotFound")
        assert "has no Service in default" in status["message"] and status["phase"] == "Preflight"
        agents.version(world.api, "v3", ready=0)
        world.until(lambda status: "no backend for v3" in status["message"] or "no ready endpoint" in status["message"])
        backend = {"name": "agent-v3", "port": 8000, "weight": 0}
        world.api.patch(
            HTTP_ROUTE, "default", "agent", [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        )
        world.until(lambda status: "no ready endpoint" in status["message"])
        assert finalizers(world) == [] and world.shares()["v3"] == 0
        agents.endpoints(world.api, "v3")
        settled(world, "v3")


def test_a_sleeping_candidate_is_woken_up_before_any_traffic():
    with ClusterWorld() as world:
        settled(world)
        world.api.merge(DEPLOYMENT, "default", "agent-v1", {"spec": {"replicas": 3}})
        world.api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 0}})
        agents.endpoints(world.api, "v2", ready=0)
        world.want("v2")
        world.until(lambda _: world.api.get(DEPLOYMENT, "default", "agent-v2")["spec"]["replicas"] == 3)
        assert world.shares() == {"v1": 100, "v2": 0}
        agents.endpoints(world.api, "v2", ready=3)
        settled(world, "v2")
        assert world.api.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 3


def test_a_route_that_no_gateway_takes_up_gets_no_traffic():
    with ClusterWorld() as world:
        settled(world)
        world.gateway.accepts = False
        taken = lambda: world.api.get(HTTP_ROUTE, "default", "agent").get("status", {}).get("parents", [{}])[0]
        world.until(lambda _: taken().get("conditions", [{}])[0].get("status") == "False")
        world.want("v2")
        world.until(lambda status: status.get("reason") == "RouteNotAccepted")
        assert world.shares() == {"v1": 100, "v2": 0}
        world.gateway.accepts = True
        settled(world, "v2")


def test_a_prometheus_that_is_down_holds_and_an_abort_does_not_wait_for_it():
    with ClusterWorld() as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        world.prometheus.answer = (503, "text/plain", "away")
        world.until(lambda status: status.get("reason") == "SourceError")
        shares = world.shares()
        time.sleep(0.5)
        assert world.shares() == shares, "no data is never success"
        world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {ABORT: "it burns"}}})
        status = world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0} and status["result"] == "aborted"
        assert status["lastCommand"]["reason"] == "it burns"


def test_a_secret_that_is_missing_is_told_and_nothing_moves():
    with ClusterWorld() as world:
        settled(world)
        auth = {"bearer": {"secretKeyRef": {"name": "prom", "key": "token"}}}
        world.api.merge(ROLLOUT, "default", "agent", {"spec": {"metrics": {"prometheus": {"auth": auth}}}})
        world.want("v2")
        status = world.until(lambda status: "the Secret default/prom does not exist" in status.get("message", ""))
        assert status["phase"] == "Preflight"
        world.api.create(
            SECRET,
            "default",
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prom"}, "data": {"token": "eA=="}},
        )
        settled(world, "v2")


def test_a_version_that_changes_under_a_rollout_is_a_condition():
    with ClusterWorld(
        policy=agents.policy(canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}})
    ) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        assert (
            set(world.status()["identities"]) == {"v1", "v2"} and world.condition("IdentityDrift")["status"] == "False"
        )
        world.api.merge(
            DEPLOYMENT, "default", "agent-v1", {"spec": {"template": {"metadata": {"annotations": {"prompt": "2"}}}}}
        )
        world.until(lambda _: world.condition("IdentityDrift")["status"] == "True")
        assert "v1: annotations" in world.condition("IdentityDrift")["message"]


# -- somebody else's hands ---------------------------------------------------------------------------------------------

LONG = agents.policy(canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}})


def push(world, weights):
    operations = [
        {"op": "replace", "path": f"/spec/rules/1/backendRefs/{at}/weight", "value": weight}
        for at, weight in enumerate(weights)
    ]
    world.api.patch(HTTP_ROUTE, "default", "agent", operations)


def test_a_foreign_edit_is_put_back_a_few_times_and_then_it_is_meant():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        for _ in range(5):
            world.until(lambda status: status["traffic"].get("appliedAt") and world.shares() == {"v1": 50, "v2": 50})
            push(world, (70, 30))
            world.until(lambda _: world.shares() == {"v1": 50, "v2": 50})
        world.until(lambda status: status["traffic"].get("appliedAt"))
        push(world, (70, 30))
        status = world.phase("Frozen")
        assert status["reason"] == "WeightDrift" and world.shares() == {"v1": 70, "v2": 30}
        world.until(lambda _: any(reason == "WeightDrift" for _, reason, _ in world.events()))
        world.until(lambda _: world.condition("Stalled")["status"] == "True")
        world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {ABORT: "back"}}})
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}


def test_edits_of_anything_else_in_the_route_are_nobodys_drift():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        for number in range(8):
            world.api.patch(
                HTTP_ROUTE,
                "default",
                "agent",
                [{"op": "add", "path": "/spec/hostnames", "value": [f"h{number}.example"]}],
            )
            time.sleep(0.1)
        world.until(lambda status: status["traffic"].get("appliedAt"))
        status = world.status()
        assert status["phase"] == "Observing" and status["traffic"]["drifts"] == 0
        assert world.api.get(HTTP_ROUTE, "default", "agent")["spec"]["hostnames"] == ["h7.example"]


def test_a_rollout_that_is_deleted_in_mid_flight_leaves_the_route_as_it_was_found():
    with ClusterWorld(policy=LONG, weights=(3, 0)) as world:
        settled(world)
        assert finalizers(world) == []
        world.want("v2")
        world.phase("Observing")
        assert finalizers(world) == [FINALIZER] and sum(world.shares().values()) == 1000
        world.api.delete(ROLLOUT, "default", "agent")
        end = time.monotonic() + 90
        while any(each["metadata"]["name"] == "agent" for each in world.api.list_all(ROLLOUT, "default")[0]):
            assert time.monotonic() < end, world.status()
            time.sleep(0.05)
        assert world.shares() == {"v1": 3, "v2": 0}


def test_a_rollout_at_rest_is_deleted_at_once_also_without_a_controller():
    with ClusterWorld() as world:
        settled(world)
        world.controller.stop()
        world.controller = None
        world.api.delete(ROLLOUT, "default", "agent")
        assert world.api.list_all(ROLLOUT, "default")[0] == []


# -- commands ----------------------------------------------------------------------------------------------------------


def ask(world, verb, **more):
    told = {"id": f"{verb}-{random.random()}", "verb": verb, "actor": "ada", "reason": "because", **more}
    world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {COMMAND: json.dumps(told)}}})
    return world.until(lambda status: told["id"] in status.get("handled", ()))["lastCommand"]


def test_commands_are_carried_out_once_answered_in_status_and_taken_out_of_the_way():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        assert ask(world, "pause")["accepted"]
        assert world.status()["phase"] == "Paused" and world.condition("Paused")["status"] == "True"
        world.until(lambda _: COMMAND not in (world.get()["metadata"].get("annotations") or {}))
        late = ask(world, "resume", expect={"phase": "Observing"})
        assert not late["accepted"] and "by now" in late["message"]
        other = ask(world, "resume", expect={"planHash": "sha256:v1:other"})
        assert not other["accepted"] and "another policy" in other["message"]
        assert ask(world, "resume", expect={"phase": "Paused"})["accepted"]
        world.phase("Observing")


def test_an_annotation_that_is_no_command_is_told_and_does_nothing():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {COMMAND: "promote please"}}})
        world.until(lambda _: "is no command" in world.condition("Stalled").get("message", ""))
        assert world.status()["phase"] == "Observing"
        assert ask(world, "pause")["accepted"]


def test_spec_paused_holds_without_flapping():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2", paused=True)
        world.phase("Paused")
        before = world.status()
        time.sleep(1.5)
        after = world.status()
        assert after["conditions"] == before["conditions"] and after["decisions"] == before["decisions"]
        world.want("v2", paused=False)
        world.phase("Observing")


# -- what fails on the way ---------------------------------------------------------------------------------------------


def flaky(seed, share=0.16):
    """Requests that fail in every way, before and after the server has acted."""
    chance = random.Random(seed)

    def fault(method, path):
        if path.endswith(("/agent-v1", "/agent-v2")) and "deployments" not in path and chance.random() > 0.5:
            return None
        if threading.current_thread().name.startswith(("worker", "reflect")) and chance.random() < share:
            kind = chance.choice(("409", "429", "500", "503", "before", "after"))
            if kind == "after":
                return "after"
            if kind == "before":
                raise TimeoutError("timed out")
            if kind == "409" and method == "GET":
                return None
            raise Refusal(int(kind), "Fault", "on purpose")
        return None

    return fault


def test_a_release_survives_an_api_that_fails_every_sixth_time(monkeypatch):
    monkeypatch.setattr("rollout.daemon.controller.BACKOFF_S", (0.05, 0.3))
    monkeypatch.setattr("rollout.cluster.reflector.BACKOFF_S", (0.05, 0.3))
    with ClusterWorld() as world:
        settled(world)
        world.cluster.fault = flaky(1)
        world.want("v2")
        settled_at = world.until(lambda status: status.get("stableVersion") == "v2" and status["phase"] == "Stable", 90)
        world.cluster.fault = None
        assert settled_at["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}
        world.until(lambda _: finalizers(world) == [])
        releases = journal.read(world.api, "default", "agent")[1]
        assert len(releases) <= 1


def test_a_controller_that_is_killed_at_any_moment_is_followed_by_one_that_goes_on():
    chance = random.Random(7)
    with ClusterWorld() as world:
        settled(world)
        world.want("v2")
        for _ in range(6):
            time.sleep(chance.uniform(0.1, 0.4))
            world.leads = False  # from now on it writes nothing, as if it had been killed
            world.controller.stop()
            world.start()
        status = settled(world, "v2")
        assert status["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}
        starts = [
            decision
            for decision in journal.read(world.api, "default", "agent")[0]
            if decision.reason == "Checking" and "is wanted" in decision.message
        ]
        assert len(starts) == 1


def test_of_two_controllers_the_one_that_does_not_lead_writes_nothing():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        world.leads = False
        time.sleep(0.2)
        writes = [call for call in world.cluster.calls if call[0] in ("patch", "create", "update")]
        push(world, (70, 30))
        world.fails["v2"] = 0.9
        time.sleep(1.0)
        later = [call for call in world.cluster.calls if call[0] in ("patch", "create", "update")]
        ours = [
            call
            for call in later[len(writes) :]
            if call[1] not in ("httproutes", "httproutes/status", "grpcroutes/status")
        ]
        assert ours == [] and world.shares() == {"v1": 70, "v2": 30}


def test_a_deposed_leader_that_wakes_up_late_is_refused_by_the_version_it_knew():
    """Its caches are old, and it still believes that it leads: every write of its is over an old version."""
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        frozen = FakeApi(world.cluster)
        old_rollout, old_route = world.get(), world.api.get(HTTP_ROUTE, "default", "agent")
        world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {ABORT: "back"}}})
        world.phase("RolledBack")
        world.until(
            lambda _: finalizers(world) == [] and ABORT not in (world.get()["metadata"].get("annotations") or {})
        )
        late = Controller(frozen, Settings(identity="late", workers=1), lambda: True)
        late.watched.rollouts._items["default/agent"] = old_rollout
        late.watched.routes["httpRoute"]._items["default/agent"] = old_route
        late.watched.policies._items["default/quick"] = world.api.get(POLICY, "default", "quick")
        late.watched.rollouts.note = lambda found: None
        before = world.get()["metadata"]["resourceVersion"]
        for _ in range(3):
            late._look("default/agent")
        late._queue.close()
        late._shared.close()
        assert world.get()["metadata"]["resourceVersion"] == before
        assert world.shares() == {"v1": 100, "v2": 0}


def test_a_dry_run_tells_its_plan_and_writes_nothing():
    with ClusterWorld(start=False) as world:
        world.start(dry_run=True)
        time.sleep(0.5)
        world.want("v2")
        time.sleep(1.0)
        assert world.status() == {} and world.shares() == {"v1": 100, "v2": 0}
        assert {
            call[0] for call in world.cluster.calls if call[1] in ("events", "configmaps", "leases", "rollouts/status")
        } == set()


def test_a_dry_run_answers_nobody_and_tells_no_event_where_nothing_can_be_read():
    with ClusterWorld(start=False) as world:
        world.api.delete(POLICY, "default", "quick")
        abort(world, "it burns")
        before = world.get()
        world.start(dry_run=True)
        time.sleep(1.0)
        assert world.get() == before and world.events() == []


def test_the_controller_tells_how_it_is():
    with ClusterWorld() as world:
        released(world)
        assert world.controller.not_alive() == "" and world.controller.not_ready() == ""
        stable = 'rollout_phase{namespace="default",phase="Stable",rollout="agent"} 1.0'
        world.until(lambda _: stable in world.controller.figures.page().decode())
        page = world.controller.figures.page().decode()
        assert (
            'rollout_reconcile_total{result="done"}' in page
            and 'leader_election_master_status{name="rollout"} 1.0' in page
        )
        world.controller._busy["default/x"] = time.monotonic() - 1000
        assert "default/x" in world.controller.not_alive()


def test_keys_that_wait_for_a_worker_are_counted_on_the_metrics_page():
    with ClusterWorld(start=False) as world:
        controller = Controller(FakeApi(world.cluster), Settings(identity="idle"), lambda: True)
        for key in ("default/a", "default/b", "default/a"):
            controller._queue.add(key)
        assert 'workqueue_depth{name="rollout"} 2.0' in controller.figures.page().decode()
        controller._queue.close()
        controller._shared.close()


# -- rights ------------------------------------------------------------------------------------------------------------


def granted(path, kind):
    """Return what a role allows: (verb, resource, group)."""
    roles = [each for each in yaml.safe_load_all((ROOT / path).read_text()) if each["kind"] == kind]
    return {
        (verb, resource, group)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_role_in_one_namespace_is_the_role_in_all():
    assert granted("manifests/namespaced/role.yaml", "Role") == granted(
        "manifests/access/controller-role.yaml", "ClusterRole"
    )


def test_the_role_has_what_the_code_calls_and_nothing_more():
    """Releases by every kind of route, a candidate that is woken up, a deletion in mid-flight: each call under RBAC."""
    allowed = granted("manifests/access/controller-role.yaml", "ClusterRole")
    used = set()

    def allows(verb, resource, place):
        name = threading.current_thread().name
        if not name.startswith(("worker", "reflect")):
            return True
        call = (verb, resource.plural + (f"/{place['sub']}" if place["sub"] else ""), resource.group)
        used.add(call)
        return call in allowed

    for kind in ("httpRoute", "grpcRoute", "virtualService"):
        with ClusterWorld(
            kind=kind,
            start=False,
            policy=LONG,
            backends={"service": "$name-$version", "deployment": "$name-$version", "port": 8000},
        ) as world:
            world.cluster.allowed = allows
            world.api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 0}})
            agents.endpoints(world.api, "v2", ready=0)
            world.start()
            settled(world)
            world.want("v2")
            world.until(
                lambda _, world=world: world.api.get(DEPLOYMENT, "default", "agent-v2")["spec"]["replicas"] == 1
            )
            agents.endpoints(world.api, "v2")
            world.phase("Observing")
            if kind == "httpRoute":
                ask(world, "pause")
                ask(world, "resume")
                again = threading.Thread(
                    target=world.controller._refresh, args=(world.get(),), name="worker-after-a-conflict"
                )
                again.start()
                again.join()
            world.api.delete(world.route_kind, "default", "agent")  # then it is read past the cache
            time.sleep(0.4)
    with ClusterWorld(
        start=False, backends={"service": "$name-$version", "port": 8000, "namespace": "elsewhere"}
    ) as world:
        world.cluster.allowed = allows
        claim = {"status": {"controller": "elsewhere/rollout-controller"}}  # whose lease is looked at
        world.api.merge(ROLLOUT, "default", "agent", claim, sub="status")
        world.start(lease="default/rollout-controller")
        world.until(lambda status: status.get("reason") == "StableUnknown")
    assert used <= allowed, f"the role lacks {used - allowed}"
    assert allowed <= used, f"the role has more than is used: {allowed - used}"


def test_rights_that_are_missing_are_told_and_stop_no_other():
    with ClusterWorld(start=False) as world:
        world.cluster.allowed = lambda verb, resource, place: (
            not (resource.plural == "services" and threading.current_thread().name.startswith("worker"))
        )
        world.start()
        world.until(lambda _: world.condition("Stalled").get("reason") == "Forbidden")
        assert "cannot get" in world.condition("Stalled")["message"]


def test_a_service_that_vanishes_in_mid_flight_is_noticed():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        world.api.delete(SERVICE, "default", "agent-v2")
        world.phase("RolledBack", timeout_s=90)
        assert world.shares() == {"v1": 100, "v2": 0} and world.status()["reason"] == "CandidateDown"


# -- hard cases --------------------------------------------------------------------------------------------------------


def observing(world):
    settled(world)
    world.want("v2")
    return world.phase("Observing")


def abort(world, text="back"):
    world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {ABORT: text}}})


def restart(world):
    world.controller.stop()
    return world.start()


def gone(world, name="agent", timeout_s=90):
    end = time.monotonic() + timeout_s
    while any(each["metadata"]["name"] == name for each in world.api.list_all(ROLLOUT, "default")[0]):
        assert time.monotonic() < end, world.status(name)
        time.sleep(0.05)


def hide(world, plural, seconds):
    """Let lists of a kind fail for a while, as after a restart of the API server."""
    end = time.monotonic() + seconds

    def fault(method, path):
        if path.endswith(plural) and time.monotonic() < end and threading.current_thread().name.startswith("reflect"):
            raise TimeoutError("not yet")

    world.cluster.fault = fault


@pytest.mark.parametrize("plural", ["httproutes", "rolloutpolicies"])
def test_a_controller_that_starts_with_half_filled_caches_touches_nothing_and_claims_nothing(plural, monkeypatch):
    monkeypatch.setattr("rollout.cluster.reflector.BACKOFF_S", (0.1, 0.2))
    with ClusterWorld() as world:
        settled(world)
        push(world, (50, 50))
        world.until(lambda _: world.condition("Stalled").get("reason") == "WeightDrift")
        world.until(lambda _: any(reason == "WeightDrift" for _, reason, _ in world.events()))
        before = world.condition("Stalled")
        hide(world, plural, 1.0)
        events = len(world.events())
        restart(world)
        time.sleep(1.8)
        assert world.shares() == {"v1": 50, "v2": 50} and len(world.events()) == events
        assert world.condition("Stalled") == before


def test_a_route_that_is_gone_at_rest_is_not_asked_for_again_and_again():
    asked = []

    def count(verb, resource, place):
        if threading.current_thread().name.startswith("worker"):
            asked.append((verb, resource.plural))
        return True

    with ClusterWorld() as world:
        settled(world)
        world.api.delete(HTTP_ROUTE, "default", "agent")
        time.sleep(0.5)
        world.cluster.allowed = count
        time.sleep(1.5)
        assert len(asked) <= 4, asked


def test_a_spec_that_is_broken_in_mid_flight_stops_neither_judging_nor_an_abort_nor_a_deletion():
    broken = {"spec": {"backends": {"service": "$name-$version-$nmae"}}}
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.api.merge(ROLLOUT, "default", "agent", broken)
        restart(world)
        world.until(lambda _: world.condition("Stalled").get("reason") == "InvalidSpec")
        looked = world.status()["lookedAt"]
        world.until(lambda status: status["lookedAt"] > looked)
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.api.merge(ROLLOUT, "default", "agent", broken)
        restart(world)
        world.api.delete(ROLLOUT, "default", "agent")
        gone(world)
        assert world.shares() == {"v1": 100, "v2": 0}


def test_routes_that_are_changed_in_mid_flight_count_for_the_next_release_and_the_old_ones_are_given_back():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        other = agents.route(name="agent")
        other["metadata"]["name"] = "agent-two"
        world.api.create(HTTP_ROUTE, "default", other)
        world.api.merge(
            ROLLOUT, "default", "agent", {"spec": {"routes": [{"httpRoute": {"name": "agent-two", "rule": "chat"}}]}}
        )
        time.sleep(0.5)
        assert world.shares() == {"v1": 50, "v2": 50} or world.shares() == {"v1": 500, "v2": 500}
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}


def test_what_is_gone_keeps_no_rollout_from_being_deleted():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.api.delete(HTTP_ROUTE, "default", "agent")
        world.api.delete(ROLLOUT, "default", "agent")
        world.shares = lambda: {"v1": 1}
        gone(world)
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.gateway.stopped.set()
        world.gateway.thread.join(60)
        world.api.delete(ROLLOUT, "default", "agent")
        gone(world)
        assert world.shares() == {"v1": 100, "v2": 0}


def test_an_abort_is_carried_out_while_the_watch_of_routes_is_behind(monkeypatch):
    monkeypatch.setattr("rollout.cluster.reflector.BACKOFF_S", (0.1, 0.2))
    with ClusterWorld(policy=LONG) as world:
        observing(world)

        def fault(method, path):
            if path.endswith("/httproutes") and threading.current_thread().name.startswith("reflect"):
                raise Refusal(500, "InternalError", "no list, no watch")

        world.cluster.fault = fault
        stream = world.controller.watched.routes["httpRoute"]._watch
        stream.stop()
        world.until(lambda _: world.controller.watched.routes["httpRoute"].problem != "")
        world.api.merge(HTTP_ROUTE, "default", "agent", {"metadata": {"labels": {"new": "label"}}})
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}


def test_the_same_words_abort_the_next_release_too():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        abort(world, "it burns")
        world.phase("RolledBack")
        world.until(lambda _: ABORT not in (world.get()["metadata"].get("annotations") or {}))
        ask(world, "retry")
        world.phase("Observing")
        abort(world, "it burns")
        world.phase("RolledBack")


def test_an_abort_needs_no_rights_but_those_for_the_route():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.cluster.allowed = lambda verb, resource, place: (
            resource.plural not in ("services", "endpointslices", "deployments")
            or not threading.current_thread().name.startswith("worker")
        )
        world.until(lambda _: world.condition("Stalled").get("reason") == "Forbidden")
        looked = world.status()["lookedAt"]
        world.until(lambda status: status["lookedAt"] > looked)
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}


def test_weights_are_not_written_before_the_gates_have_passed():
    with ClusterWorld() as world:
        settled(world)
        push(world, (0, 100))  # somebody has moved everything by hand
        agents.version(world.api, "v3")
        backend = {"name": "agent-v3", "port": 8000, "weight": 0}
        world.api.patch(
            HTTP_ROUTE, "default", "agent", [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        )
        world.want("v3")
        status = world.until(lambda status: status.get("reason") == "RouteRefused")
        assert "traffic to agent-v2" in status["message"] and world.shares() == {"v1": 0, "v2": 100, "v3": 0}
        push(world, (100, 0))
        settled(world, "v3")


@pytest.mark.parametrize("text", ["[" * 1000, '{"id": "x1", "reason": "\\ud800"}', "x" * 100_000])
def test_no_annotation_wedges_its_rollout(text):
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        abort(world, text)
        assert world.phase("RolledBack")["result"] == "aborted" and world.shares() == {"v1": 100, "v2": 0}


def test_an_effect_that_is_refused_is_told_and_not_hammered():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.cluster.allowed = lambda verb, resource, place: (
            (verb, resource.plural) != ("patch", "httproutes") or place["sub"] == "status"
        )
        world.want("v2")
        world.until(lambda _: world.condition("Stalled").get("reason") == "RouteWriteDenied")
        told = world.condition("Stalled")
        assert "controller's role" in told["message"] and "httpRoute/agent/chat" in told["message"]
        before = world.cluster.calls.count(("patch", "httproutes", "gateway.networking.k8s.io"))
        time.sleep(4.0)
        # Each look writes its evidence, comes back by the watch, and tries once: five a second in this test, not more.
        assert world.cluster.calls.count(("patch", "httproutes", "gateway.networking.k8s.io")) - before <= 12
        assert world.condition("Stalled") == told, "the condition flaps"


def test_a_drain_ends_only_once_the_base_is_restored():
    with ClusterWorld(weights=(1, 0)) as world:
        settled(world)
        failed = []

        def fault(method, path):
            draining = (
                method == "PATCH" and path.endswith("/httproutes/agent") and world.status().get("phase") == "Draining"
            )
            if draining and len(failed) < 3:
                failed.append(path)
                raise Refusal(500, "InternalError", "not now")

        world.cluster.fault = fault
        world.want("v2")
        settled(world, "v2")
        assert len(failed) == 3 and world.shares() == {"v1": 0, "v2": 1}


def test_conditions_do_not_flap_between_looks():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.until(lambda status: status["reason"] == "Holding" and "holds this weight" in status["message"])
        world.api.delete(POLICY, "default", "quick")
        world.until(lambda _: world.condition("Stalled").get("status") == "True")
        world.until(lambda _: any(reason == "PolicyNotFound" for _, reason, _ in world.events()))
        since, events = world.condition("Stalled")["lastTransitionTime"], len(world.events())
        time.sleep(1.5)
        assert world.condition("Stalled")["lastTransitionTime"] == since and len(world.events()) == events
        assert world.condition("Reconciling")["status"] == "True"


def test_going_back_does_not_depend_on_what_somebody_is_editing():
    with ClusterWorld() as world:
        released(world)
        world.api.delete(POLICY, "default", "quick")
        assert ask(world, "undo")["accepted"]
        settled(world, "v1")


def test_two_rollouts_never_shift_one_rule():
    with ClusterWorld() as world:
        settled(world)
        time.sleep(1.0)  # the second one is younger
        world.api.create(ROLLOUT, "default", agents.rollout(world.url, name="agent") | {"metadata": {"name": "second"}})
        world.api.merge(ROLLOUT, "default", "second", {"spec": {"backends": {"service": "agent-$version"}}})
        world.until(lambda _: world.condition("Stalled", "second").get("reason") == "RouteRefused")
        assert "the Rollout agent shifts the same rule" in world.condition("Stalled", "second")["message"]
        world.want("v2")
        settled(world, "v2")


def test_routes_that_disagree_make_nobody_stable():
    with ClusterWorld(start=False) as world:
        other = agents.route(name="agent", weights=(50, 50))
        other["metadata"]["name"] = "agent-two"
        world.api.create(HTTP_ROUTE, "default", other)
        routes = [{"httpRoute": {"name": name, "rule": "chat"}} for name in ("agent", "agent-two")]
        world.api.merge(ROLLOUT, "default", "agent", {"spec": {"routes": routes}})
        world.start()
        world.until(lambda status: status.get("reason") == "StableUnknown")
        assert world.shares() == {"v1": 100, "v2": 0} and not world.status().get("stableVersion")


def test_several_routes_move_together():
    with ClusterWorld(start=False) as world:
        other = agents.route(kind="virtualService")
        other["metadata"]["name"] = "agent-mesh"
        world.api.create(agents.VIRTUAL_SERVICE, "default", other)
        routes = [
            {"httpRoute": {"name": "agent", "rule": "chat"}},
            {"virtualService": {"name": "agent-mesh", "rule": "chat"}},
        ]
        world.api.merge(ROLLOUT, "default", "agent", {"spec": {"routes": routes}})
        world.start()
        released(world)
        mesh = world.api.get(agents.VIRTUAL_SERVICE, "default", "agent-mesh")["spec"]["http"][1]["route"]
        assert [each["weight"] for each in mesh] == [0, 100] and world.shares() == {"v1": 0, "v2": 100}


def test_trouble_at_rest_makes_nobody_forget_what_was_turned_down():
    with ClusterWorld() as world:
        released(world)
        assert ask(world, "undo")["accepted"]
        settled(world, "v1")
        assert world.status()["declinedVersion"] == "v2"
        world.api.delete(POLICY, "default", "quick")
        world.until(lambda _: world.condition("Stalled").get("reason") == "PolicyNotFound")
        world.api.create(POLICY, "default", agents.policy())
        world.until(lambda _: world.condition("Stalled").get("reason") != "PolicyNotFound")
        time.sleep(0.5)
        assert world.status()["stableVersion"] == "v1" and world.shares() == {"v1": 100, "v2": 0}


@pytest.mark.parametrize("mended", ["rule", "prometheus", "manage"])
def test_what_is_mended_during_the_checks_is_gone_by_at_once(mended):
    with ClusterWorld(
        versions=("v1",) if mended == "manage" else ("v1", "v2"), weights=(100,) if mended == "manage" else (100, 0)
    ) as world:
        settled(world)
        good = {"httpRoute": {"name": "agent", "rule": "chat"}}
        wrong = {
            "rule": {"routes": [{"httpRoute": {"name": "agent", "rule": "caht"}}]},
            "prometheus": {"metrics": {"prometheus": {"url": "http://127.0.0.1:9"}}},
            "manage": {},
        }[mended]
        right = {
            "rule": {"routes": [good]},
            "prometheus": {"metrics": {"prometheus": {"url": world.url}}},
            "manage": {"routes": [{"httpRoute": {**good["httpRoute"], "manageBackends": True}}]},
        }[mended]
        world.want("v2", **wrong)
        world.until(lambda status: status.get("reason") in ("RouteRefused", "SourceError", "BackendNotFound"))
        world.api.merge(ROLLOUT, "default", "agent", {"spec": right})
        settled(world, "v2")


def test_a_release_that_never_moved_traffic_is_given_up_and_deleted_whatever_is_wrong_with_the_route():
    with ClusterWorld() as world:
        settled(world)
        world.want("v2", routes=[{"httpRoute": {"name": "agent", "rule": "caht"}}])
        world.until(lambda status: status.get("reason") == "RouteRefused")
        assert finalizers(world) == []
        abort(world)
        world.phase("RolledBack")
        world.api.delete(ROLLOUT, "default", "agent")
        gone(world)


def test_a_rule_that_is_renamed_or_removed_in_mid_flight_does_not_stop_the_way_back():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.api.patch(
            HTTP_ROUTE, "default", "agent", [{"op": "replace", "path": "/spec/rules/1/name", "value": "chat2"}]
        )
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.api.patch(HTTP_ROUTE, "default", "agent", [{"op": "remove", "path": "/spec/rules/1"}])
        world.api.delete(ROLLOUT, "default", "agent")
        world.shares = lambda: {"v1": 1}
        gone(world)


def test_who_names_no_rule_may_mean_any_and_who_waited_has_it_once_it_is_free():
    with ClusterWorld() as world:
        settled(world)
        time.sleep(1.0)
        second = agents.rollout(
            world.url, name="agent", routes=[{"httpRoute": {"name": "agent"}}], backends={"service": "agent-$version"}
        )
        world.api.create(ROLLOUT, "default", second | {"metadata": {"name": "second"}})
        world.until(lambda _: world.condition("Stalled", "second").get("reason") == "RouteRefused")
        world.api.delete(ROLLOUT, "default", "agent")
        end = time.monotonic() + 90
        while world.status("second").get("stableVersion") != "v1":
            assert time.monotonic() < end, world.status("second")
            time.sleep(0.05)


def test_nobody_is_sent_back_to_a_stable_version_that_does_not_answer():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        agents.endpoints(world.api, "v1", ready=0)
        time.sleep(0.5)
        world.fails["v2"] = 0.9
        status = world.phase("Paused")
        assert status["reason"] == "Worse" and "v1 does not answer" in status["message"]
        assert world.shares() == {"v1": 50, "v2": 50}
        abort(world)  # a human may
        world.phase("RolledBack")


def test_commands_without_anything_to_go_by_are_refused_with_the_reason():
    with ClusterWorld(policyRef={"name": "nowhere"}) as world:
        world.until(lambda _: world.condition("Stalled").get("reason") == "PolicyNotFound")
        answer = ask(world, "retry")
        assert not answer["accepted"] and "there is no RolloutPolicy nowhere" in answer["message"]
        world.until(lambda _: COMMAND not in (world.get()["metadata"].get("annotations") or {}))


def test_a_managed_backend_goes_with_the_release_that_brought_it():
    routes = [{"httpRoute": {"name": "agent", "rule": "chat", "manageBackends": True}}]
    with ClusterWorld(policy=LONG, versions=("v1",), weights=(100,), routes=routes) as world:
        observing(world)
        assert set(world.shares()) == {"v1", "v2"}
        abort(world)
        world.phase("RolledBack")
        world.until(lambda _: world.shares() == {"v1": 100})
        ask(world, "retry")
        world.phase("Observing")
        assert set(world.shares()) == {"v1", "v2"}
        world.api.delete(ROLLOUT, "default", "agent")
        gone(world)
        assert world.shares() == {"v1": 100}


def test_a_blue_green_release_is_previewed_switched_and_undone_at_once():
    made = agents.policy()
    del made["spec"]["canary"]
    made["spec"]["blueGreen"] = {"preview": {"for": "500ms"}, "bake": {"for": "500ms"}, "standby": {"for": "10m"}}
    with ClusterWorld(policy=made) as world:
        released(world)
        assert world.shares() == {"v1": 0, "v2": 100}
        assert ask(world, "undo")["accepted"]
        world.until(lambda status: status["stableVersion"] == "v1" and world.shares() == {"v1": 100, "v2": 0})


# -- state contracts ---------------------------------------------------------------------------------------------------


def state_contract(*nodes, **properties):
    state = {"type": "object", "properties": {"topic": {"type": "string"}, **properties}}
    return {
        "contractVersion": 1,
        "framework": {"name": "langgraph"},
        "state": {"kind": "pydantic", "writer": state, "reader": state},
        "nodes": {name: {"interruptCalls": []} for name in nodes},
    }


def with_contracts(world, **contracts):
    for version, contract in contracts.items():
        data = {"state-contract.json": json.dumps(contract)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"agent-{version}-state"}, "data": data}
        world.api.create(CONFIG_MAP, "default", body)


BY_MAP = {"contract": {"configMap": {"name": "$name-$version-state"}}}


def test_versions_whose_contracts_go_together_are_released_and_the_condition_says_so():
    with ClusterWorld(start=False, **BY_MAP) as world:
        with_contracts(world, v1=state_contract("plan"), v2=state_contract("plan"))
        world.start()
        released(world)
        compatible = world.condition("StateCompatible")
        assert (compatible["status"], compatible["reason"]) == ("True", "StateCompatible")
        assert list(json.loads(world.status()["contracts"]["v2"]["text"])["nodes"]) == ["plan"]


@pytest.mark.parametrize(
    ("candidate", "word"),
    [
        (state_contract("prepare"), "NODE_REMOVED /nodes/plan"),
        (state_contract("plan", extra={"type": "string"}), "KEY_ADDED"),
    ],
)
def test_a_version_that_would_lose_conversations_gets_no_traffic(candidate, word):
    """Requests are split one by one here, so that a key which the other version drops is lost on the next hop."""
    with ClusterWorld(start=False, **BY_MAP) as world:
        with_contracts(world, v1=state_contract("plan"), v2=candidate)
        world.start()
        world.want("v2")
        status = world.phase("RolledBack")
        assert status["reason"] == "StateIncompatible" and status["result"] == "stopped-by-a-gate"
        assert word in status["message"] and world.shares() == {"v1": 100, "v2": 0}
        assert world.condition("StateCompatible")["status"] == "False" or word == "KEY_ADDED"


def test_a_contract_that_is_missing_is_told_and_comes_in_time():
    with ClusterWorld(start=False, **BY_MAP) as world:
        with_contracts(world, v1=state_contract("plan"))
        world.start()
        world.want("v2")
        world.until(lambda status: status.get("reason") == "StateUnknown")
        assert "agent-v2-state" in world.status()["message"] and world.shares() == {"v1": 100, "v2": 0}
        with_contracts(world, v2=state_contract("plan"))
        settled(world, "v2")


def test_a_store_whose_secret_is_missing_is_told_and_nothing_moves():
    store = {"stateStore": {"postgres": {"secretKeyRef": {"name": "agent-db", "key": "url"}}}}
    with ClusterWorld(start=False, **BY_MAP, **store) as world:
        with_contracts(world, v1=state_contract("plan"), v2=state_contract("plan"))
        world.start()
        world.want("v2")
        world.until(lambda status: status.get("reason") == "StateUnknown")
        assert "default/agent-db does not exist" in world.status()["message"]
        assert "spec.stateStore.postgres" in world.status()["message"] and world.shares() == {"v1": 100, "v2": 0}
