"""Going back always works, and is loud where it cannot: denied writes, servers that hang, two controllers."""

from __future__ import annotations

import threading
import time

import pytest

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, LEASE, ROLLOUT
from tests.controller.steps import LONG, abort, ask, observing, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.resources import Refusal


def denied(path, code, words):
    def fault(method, requested):
        if method == "PATCH" and requested.endswith(path):
            raise Refusal(code, "Invalid" if code == 422 else "BadRequest", words)

    return fault


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (422, "ValidatingAdmissionPolicy 'weights' denied request: ask the network team"),
        (400, 'admission webhook "routes.corp" denied the request: not in office hours'),
        (403, 'admission webhook "routes.corp" denied the request: frozen'),
    ],
)
def test_a_rollback_whose_write_is_denied_says_so_in_the_servers_words_and_goes_on_trying(code, words):
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.cluster.fault = denied("/httproutes/agent", code, words)
        abort(world)
        world.until(lambda _: world.condition("Stalled").get("reason") == "RouteWriteDenied")
        told = world.condition("Stalled")["message"]
        assert words in told and "httpRoute/agent/chat" in told and "not all traffic is back on v1" in told
        assert "controller's role" not in told, "rights are not what is missing"
        assert world.condition("Ready")["status"] == "False" and world.status()["phase"] == "RollingBack"
        world.until(lambda _: any(reason == "RouteWriteDenied" for _, reason, _ in world.events()))
        world.cluster.fault = None
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0} and "blocked" not in world.status()
        assert world.status()["result"] == "aborted"


def test_of_two_routes_it_is_told_which_one_is_back_and_which_is_not():
    routes = [{"httpRoute": {"name": "agent", "rule": "chat"}}, {"httpRoute": {"name": "other", "rule": "chat"}}]
    with ClusterWorld(policy=LONG, start=False, routes=routes) as world:
        second = agents.route()
        second["metadata"]["name"] = "other"
        world.api.create(HTTP_ROUTE, "default", second)
        world.start()
        observing(world)
        world.cluster.fault = denied("/httproutes/other", 422, "denied by policy")
        abort(world)
        world.until(lambda _: world.condition("Stalled").get("reason") == "RouteWriteDenied")
        world.until(lambda _: world.shares() == {"v1": 100, "v2": 0})
        world.until(
            lambda _: "Routes with the right weights: httpRoute/agent/chat" in world.condition("Stalled")["message"]
        )
        assert "httpRoute/other/chat: the change was denied" in world.condition("Stalled")["message"]
        world.cluster.fault = None
        world.phase("RolledBack")


def test_a_reference_of_another_rule_that_does_not_resolve_holds_up_no_rollback_and_no_release():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.gateway.resolves = False
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}
        assert ask(world, "retry")["accepted"]
        world.phase("Observing")
        assert any("ResolvedRefs" in warning for warning in world.status()["warnings"])


class Broken:
    """Somebody who gathers facts, and raises whatever is asked of it."""

    def __getattr__(self, name):
        def broken(*_, **__):
            raise AssertionError(f"{name}: a fault of ours")

        return broken


def test_an_abort_asks_nobody_who_gathers_facts(monkeypatch):
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        shared = world.controller._shared
        monkeypatch.setattr(shared, "check_runner_of", lambda *_: Broken())
        monkeypatch.setattr(shared, "states_of", lambda *_: Broken())
        world.cluster.fault = lambda method, path: (
            (_ for _ in ()).throw(TimeoutError("away"))
            if any(
                plural in path for plural in ("/services", "/endpointslices", "/deployments", "/configmaps", "/events")
            )
            else None
        )
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}


def test_a_prometheus_that_hangs_holds_up_no_abort_of_its_own_rollout_nor_of_others():
    hang = threading.Event()

    def never():
        hang.wait(120)
        return 200, "application/json", "{}"

    with ClusterWorld(policy=LONG, start=False) as world:
        patient = {"metrics": {"prometheus": {"url": world.url, "timeout": "30s"}}}
        world.api.merge(ROLLOUT, "default", "agent", {"spec": patient})
        world.start()
        observing(world)
        world.prometheus.answer = never
        try:
            asked = len(world.prometheus.asked)
            world.until(lambda _: len(world.prometheus.asked) > asked)
            began = time.monotonic()
            abort(world)
            world.until(lambda _: world.shares() == {"v1": 100, "v2": 0})
            assert time.monotonic() - began < 25, "the query is given up after thirty seconds, the abort waits for none"
        finally:
            hang.set()


def test_a_stable_version_that_is_down_locks_nobody_out():
    with ClusterWorld() as world:
        settled(world)
        agents.endpoints(world.api, "v1", ready=0)
        world.want("v2")
        world.until(lambda status: status.get("reason") == "StableDown")
        refused = ask(world, "promote", reason="")
        assert not refused["accepted"] and "say why" in refused["message"]
        assert ask(world, "promote", reason="v1 crashes, v2 is its fix")["accepted"]
        status = settled(world, "v2")
        assert status["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}


def test_a_policy_may_say_beforehand_that_a_stable_version_that_is_down_is_passed():
    with ClusterWorld(policy=agents.policy(reactions={"stableDown": "promote"})) as world:
        settled(world)
        agents.endpoints(world.api, "v1", ready=0)
        world.want("v2")
        status = settled(world, "v2")
        assert status["result"] == "promoted" and status["stablePassedBy"] == "the policy"


def test_two_controllers_with_leases_in_different_places_leave_each_others_rollouts_alone():
    with ClusterWorld(policy=LONG, start=False) as world:
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "rollout-controller"}}
        world.start(lease="rollout-system/rollout-controller")
        observing(world)
        world.api.create(
            LEASE, "rollout-system", {**lease, "spec": {"holderIdentity": "one", "leaseDurationSeconds": 600}}
        )
        assert world.status()["controller"] == "rollout-system/rollout-controller"
        world.controller.stop()
        world.start(lease="default/rollout-controller-default")
        world.until(lambda _: any(reason == "ClaimedByAnother" for _, reason, _ in world.events()))
        before = world.get()["metadata"]["resourceVersion"]
        abort(world)
        time.sleep(1.0)
        assert world.status()["phase"] == "Observing" and world.get()["metadata"]["resourceVersion"] != before
        world.api.merge(LEASE, "rollout-system", "rollout-controller", {"spec": {"holderIdentity": ""}})
        world.phase("RolledBack")
        assert world.status()["controller"] == "default/rollout-controller-default"
