"""What others left odd stands in nobody's way back: half-written routes, lost statuses, denied status writes."""

from __future__ import annotations

import time

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, ROLLOUT
from tests.controller.steps import LONG, abort, observing, rules, unnamed
from tests.fakes.clustered import ClusterWorld
from tests.fakes.resources import Refusal

BACKEND = "/spec/rules/1/backendRefs"


def edit(world, *operations, name="agent"):
    world.api.patch(HTTP_ROUTE, "default", name, list(operations))


def test_a_rule_that_vanishes_is_not_taken_for_one_that_stood_beside_it_with_both_versions():
    with unnamed(policy=LONG) as world:
        observing(world)
        both = [{"name": f"agent-{each}", "port": 8000, "weight": weight} for each, weight in (("v1", 0), ("v2", 1))]
        beta = {"op": "replace", "path": "/spec/rules/0/backendRefs", "value": both}
        edit(world, beta, {"op": "remove", "path": "/spec/rules/1"})
        abort(world)
        world.phase("RolledBack")
        assert [each["weight"] for each in rules(world)[0]["backendRefs"]] == [0, 1], "beta is nobody's of ours"


def of_v2(world):
    return [each for each in rules(world)[1]["backendRefs"] if each["name"] == "agent-v2"]


def test_a_service_that_somebody_lists_once_more_gets_no_more_than_its_step_and_is_in_nobodys_way_back():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        again = {"name": "agent-v2", "port": 8000, "weight": 7}
        edit(world, {"op": "add", "path": f"{BACKEND}/-", "value": again})
        world.until(lambda _: sum(each["weight"] for each in of_v2(world)) == 50 and len(of_v2(world)) == 2)
        abort(world)
        world.phase("RolledBack")
        listed = rules(world)[1]["backendRefs"]
        assert all(each["weight"] == 0 for each in listed if each["name"] == "agent-v2"), listed
        assert next(each["weight"] for each in listed if each["name"] == "agent-v1") > 0


def test_a_release_whose_own_status_was_made_unreadable_is_rolled_back_by_what_is_shown():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        end = time.monotonic() + 120
        world.api.merge(ROLLOUT, "default", "agent", {"status": {"internal": "{half"}}, sub="status")
        while world.get()["status"].get("internal") == "{half":
            assert time.monotonic() < end, world.get()["status"]
            time.sleep(0.05)
        status = world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0} and status["stableVersion"] == "v1"


def test_a_status_that_cannot_be_written_keeps_no_traffic_on_the_candidate():
    def no_status(method, path):
        if method in ("PATCH", "PUT") and path.endswith("/rollouts/agent/status"):
            raise Refusal(403, "Forbidden", "status is frozen")

    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.cluster.fault = no_status
        abort(world)
        world.until(lambda _: world.shares() == {"v1": 100, "v2": 0})
        world.cluster.fault = None
        assert world.phase("RolledBack")["result"] == "aborted"


def test_a_managed_backend_whose_adding_fails_once_is_added_and_taken_away_again():
    managed = [{"httpRoute": {"name": "agent", "rule": "chat", "manageBackends": True}}]
    failed = []

    def once(method, path):
        if method == "PATCH" and path.endswith("/httproutes/agent") and not failed:
            failed.append(path)
            raise TimeoutError("away")

    with ClusterWorld(policy=LONG, versions=("v1",), weights=(100,), routes=managed) as world:
        world.until(lambda status: status.get("stableVersion") == "v1")
        world.cluster.fault = once
        world.want("v2")
        world.phase("Observing")
        assert failed and set(world.shares()) == {"v1", "v2"}
        abort(world)
        world.phase("RolledBack")
        world.until(lambda _: world.shares() == {"v1": 100})
