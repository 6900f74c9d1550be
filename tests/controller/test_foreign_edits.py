"""Somebody else's hands: edits of the route, of the Rollout, and what is deleted."""

from __future__ import annotations

import threading
import time

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, ROLLOUT, SERVICE
from rollout.adapters.storage.command_annotations import ABORT
from rollout.adapters.storage.kubernetes_status import FINALIZER
from tests.controller.steps import LONG, abort, finalizers, gone, observing, push, released, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld


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


def test_a_service_that_vanishes_in_mid_flight_is_noticed():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        world.api.delete(SERVICE, "default", "agent-v2")
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0} and world.status()["reason"] == "CandidateDown"
