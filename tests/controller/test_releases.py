"""Whole releases by the controller: what moves, what is left as it was."""

from __future__ import annotations

import time

import pytest

from rollout.adapters.kubernetes.resources import CONFIG_MAP, DEPLOYMENT, HTTP_ROUTE, POLICY, ROLLOUT
from rollout.controller.controller import Controller, Settings
from rollout.controller.share import All
from tests.controller.steps import LONG, abort, ask, finalizers, gone, observing, released, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.resources import Refusal
from tests.fakes.server import FakeApi


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
        world.until(lambda _: [release.result for release in world.releases()] == ["rolled-back"])
        assert any("is worse" in decision.message for decision in world.decisions())
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


def test_going_back_does_not_depend_on_what_somebody_is_editing():
    with ClusterWorld() as world:
        released(world)
        world.api.delete(POLICY, "default", "quick")
        assert ask(world, "undo")["accepted"]
        settled(world, "v1")


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
        controller = Controller(FakeApi(world.cluster), Settings(identity="idle"), All(lambda: True))
        for key in ("default/a", "default/b", "default/a"):
            controller._queue.add(key)
        assert 'workqueue_depth{name="rollout"} 2.0' in controller.figures.page().decode()
        controller._queue.close()
        controller._shared.close()
