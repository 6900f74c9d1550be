"""Which rule, which backends: chosen once, found again, and nobody else's are touched."""

from __future__ import annotations

import json
import time

import pytest

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, ROLLOUT, SERVICE
from tests.controller.steps import LONG, abort, observing, rules, settled, unnamed
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld


def beta_is_untouched(world):
    return [each["weight"] for each in rules(world)[0]["backendRefs"]] == [1]


def test_a_release_through_a_rule_without_a_name_ends_and_its_deletion_too():
    with unnamed() as world:
        settled(world)
        world.want("v2")
        settled(world, "v2")
        assert beta_is_untouched(world) and world.shares() == {"v1": 0, "v2": 100}
        assert any("sends other requests to agent-v2" in warning for warning in world.status()["warnings"])
        world.api.delete(ROLLOUT, "default", "agent")
        end = time.monotonic() + 120
        while world.api.list_all(ROLLOUT, "default")[0]:
            assert time.monotonic() < end, world.status()
            time.sleep(0.05)


def test_a_rule_that_is_deleted_in_mid_flight_takes_nobody_elses_with_it():
    with unnamed(policy=LONG) as world:
        observing(world)
        found = world.api.get(HTTP_ROUTE, "default", "agent")
        del found["spec"]["rules"][1]
        world.api.replace(HTTP_ROUTE, "default", "agent", found)
        abort(world)
        world.phase("RolledBack")
        assert beta_is_untouched(world) and len(rules(world)) == 1


def test_a_rule_whose_matches_were_edited_in_mid_flight_is_still_found_by_its_two_versions():
    with unnamed(policy=LONG) as world:
        observing(world)
        found = world.api.get(HTTP_ROUTE, "default", "agent")
        found["spec"]["rules"][1]["matches"] = [{"path": {"type": "PathPrefix", "value": "/chat"}}]
        world.api.replace(HTTP_ROUTE, "default", "agent", found)
        abort(world)
        world.phase("RolledBack")
        assert beta_is_untouched(world) and world.shares() == {"v1": 100, "v2": 0}


def test_a_third_backend_that_gets_traffic_in_mid_flight_is_told_and_left_alone():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        agents.version(world.api, "v0")
        backend = {"name": "agent-v0", "port": 8000, "weight": 100}
        add = [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        world.api.patch(HTTP_ROUTE, "default", "agent", add)
        world.until(lambda status: status.get("reason") == "RouteRefused" and "agent-v0" in status["message"])
        assert world.shares()["v0"] == 100
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0, "v0": 100}
        world.until(lambda _: any(" is back on v1" in each.message for each in world.decisions()))
        told = next(each.message for each in world.decisions() if " is back on v1" in each.message)
        assert told.startswith("all that the candidate had is back on v1, but") and "agent-v0" in told


MANAGED = [{"httpRoute": {"name": "agent", "rule": "chat", "manageBackends": True}}]


def test_nothing_is_written_into_a_route_before_the_candidates_service_and_port_are_there():
    with ClusterWorld(policy=LONG, versions=("v1",), weights=(100,), routes=MANAGED, start=False) as world:
        world.api.delete(SERVICE, "default", "agent-v2")
        world.start()
        settled(world)
        world.want("v2")
        world.until(lambda status: status.get("reason") == "BackendNotFound")
        port = {"ports": [{"port": 9000}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "agent-v2"}, "spec": port}
        world.api.create(SERVICE, "default", service)
        world.until(lambda status: "has no TCP port 8000, it has 9000" in status.get("message", ""))
        assert world.shares() == {"v1": 100}, "nothing was written yet"
        world.api.merge(SERVICE, "default", "agent-v2", {"spec": {"ports": [{"port": 8000}]}})
        world.phase("Observing")
        assert set(world.shares()) == {"v1", "v2"}


def test_a_backend_that_somebody_lists_at_weight_0_is_theirs_and_nobody_is_fought():
    with ClusterWorld(routes=MANAGED) as world:
        settled(world)
        world.want("v2")
        settled(world, "v2")
        writes = lambda: world.cluster.calls.count(("patch", "httproutes", "gateway.networking.k8s.io"))
        world.until(lambda _: not is_ours(world))
        before = writes()
        backend = {"name": "agent-v7", "port": 8000, "weight": 0}
        add = [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        world.api.patch(HTTP_ROUTE, "default", "agent", add)
        world.want("v2", paused=False)
        seen = world.get()["metadata"]["generation"]
        world.until(lambda status: status.get("observedGeneration", 0) >= seen)
        assert world.shares() == {"v1": 0, "v2": 100, "v7": 0} and writes() - before == 1, (
            "whoever lists it is the only one who writes"
        )


def is_ours(world):
    """Whether fields of the route are recorded as the controller's."""
    found = world.api.get(HTTP_ROUTE, "default", "agent")["metadata"].get("managedFields") or ()
    return "rollout-controller" in {each["manager"] for each in found}


def test_at_rest_the_routes_fields_are_nobodys_of_ours():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        assert is_ours(world), "as long as weights are written"
        abort(world)
        world.phase("RolledBack")
        world.until(lambda _: not is_ours(world))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"routes": [{"httpRoute": {"name": "agnet", "rule": "chat"}}]}, "there is no HTTPRoute default/agnet"),
        (
            {"routes": [{"httpRoute": {"name": "agent", "rule": "chatt"}}]},
            "no rule called chatt; there is health, chat",
        ),
        (
            {"backends": {"service": "$name-$version", "port": 8080}, "routes": [{"httpRoute": {"name": "agent"}}]},
            "is on port 8000, and spec.backends.port is 8080",
        ),
        (
            {"backends": {"service": "agnt-$version", "port": 8000}, "routes": [{"httpRoute": {"name": "agent"}}]},
            "is not named by spec.backends.service",
        ),
    ],
)
def test_why_stable_is_not_known_is_told_and_not_guessed(spec, told):
    with ClusterWorld(**spec) as world:
        status = world.until(lambda status: status.get("reason") == "StableUnknown")
        assert told in status["message"], status["message"]
        assert world.get()["status"]["phase"] == "Pending"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"routes": [{"httpRoute": {"name": "agent", "rule": "chatt"}}]}, "no rule called chatt"),
        ({"backends": {"service": "$name-$version", "port": 9000}}, "is on port 8000, and spec.backends.port is 9000"),
        ({"backends": {"service": "other-$version", "port": 8000}}, "no backend for v1"),
    ],
)
def test_lint_tells_why_a_route_beside_the_rollout_could_not_be_adopted(tmp_path, change, told):
    from rollout.cli.documents import check
    from rollout.model.documents import read_files

    documents = [agents.rollout("http://p:9090", **change), agents.policy(), agents.route()]
    path = tmp_path / "all.yaml"
    path.write_text("\n---\n".join(json.dumps(each) for each in documents))
    faults = check(read_files([path]))
    assert [told in str(fault) for fault in faults] == ([True] if told else []), faults
