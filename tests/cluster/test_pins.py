"""Pins on a real API server, by the controller under its own rights: objects, ownership, edits, and what is taken back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rollout.adapters.kubernetes.resources import CONFIG_MAP, HTTP_ROUTE, ROLLOUT, VIRTUAL_SERVICE
from rollout.adapters.storage.kubernetes import KubernetesStore
from rollout.engine.facts import DrainOrder
from rollout.errors import Rejected
from tests.cluster.world import AdminApi, RealWorld
from tests.controller.test_pins import GAUGE, LONG, PINNED, open_conversations, pin_versions
from tests.waiting import eventually


def pinned(server, namespace, kind, **options):
    return RealWorld(server, namespace, kind=kind, conversations={**PINNED, **GAUGE}, **options)


def ours(world):
    routes = world.api.list_all(world.route_kind, world.namespace)[0]
    return [route for route in routes if route["metadata"]["name"].startswith("agent-pins-")]


def settled(world, version="v1"):
    return world.until(lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable")


@pytest.mark.parametrize("kind", ["httpRoute", "grpcRoute", "virtualService"])
def test_started_conversations_are_pinned_drained_and_nothing_of_ours_is_left(server, namespace, kind):
    with pinned(server, namespace, kind) as world:
        open_conversations(world, v1=2, v2=1)
        settled(world)
        before = world.api.get(world.route_kind, namespace, "agent")["spec"]
        world.want("v2")
        settled(world, "v2")
        world.until(lambda status: status.get("draining", {}).get("v1", {}).get("open") == 2)
        if kind == "virtualService":
            assert pin_versions(world) == {"v1"}
        else:
            (route,) = ours(world)
            assert route["metadata"]["ownerReferences"][0]["uid"] == world.get()["metadata"]["uid"]
            assert len(route["spec"]["rules"]) == 2, "v1's pins, and started conversations without one"
        open_conversations(world, v1=0)
        world.until(lambda status: not status.get("draining"))
        if kind == "virtualService":
            assert pin_versions(world) == set()
            after = world.api.get(world.route_kind, namespace, "agent")["spec"]
            assert [rule["name"] for rule in after["http"]] == [rule["name"] for rule in before["http"]]
        else:
            eventually(lambda: ours(world) == [], why="our route stays")


def test_a_drain_is_ended_by_hand_and_workers_are_told_the_roles_of_versions(server, namespace):
    def roles():
        return world.api.get(CONFIG_MAP, namespace, "agent-roles")["data"]

    with pinned(server, namespace, "httpRoute") as world:
        open_conversations(world, v1=2, v2=1)
        settled(world)
        world.want("v2")
        settled(world, "v2")
        world.until(lambda status: status.get("draining", {}).get("v1", {}).get("open") == 2)
        eventually(lambda: roles() == {"v1": "draining", "v2": "stable"})
        store = KubernetesStore(world.api, namespace)
        seen = store.get("agent").rollout.status
        order = DrainOrder("v1", "end")
        store.append("agent", "drain", store.who(), "they were told", datetime.now(UTC), seen, order)
        world.until(lambda status: not status.get("draining"))
        assert world.get()["status"]["lastCommand"]["accepted"]
        eventually(lambda: ours(world) == [] and roles() == {"v2": "stable"})


def test_a_rollout_that_is_deleted_in_mid_flight_leaves_no_pins(server, namespace):
    with pinned(server, namespace, "virtualService", policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        assert pin_versions(world) == {"v1", "v2"}
        world.api.delete(ROLLOUT, namespace, "agent")
        eventually(lambda: world.api.list_all(ROLLOUT, namespace)[0] == [], why="its finalizer stays")
        assert pin_versions(world) == set()
        http = world.api.get(VIRTUAL_SERVICE, namespace, "agent")["spec"]["http"]
        assert [rule["name"] for rule in http] == ["health", "chat"]


def test_the_controller_creates_and_deletes_no_route_but_those_that_pin(server, namespace):
    with pinned(server, namespace, "httpRoute", start=False) as world:
        api = world.controllers_api()
        route = world.api.get(HTTP_ROUTE, namespace, "agent")
        with pytest.raises(Rejected, match="no route but those that pin"):
            AdminApi.delete(api, HTTP_ROUTE, namespace, "agent")
        other = {"apiVersion": route["apiVersion"], "kind": "HTTPRoute", "metadata": {"name": "mine"}, "spec": {}}
        with pytest.raises(Rejected, match="no route but those that pin"):
            api.create(HTTP_ROUTE, namespace, other)
