"""Going back always works, and is loud where it cannot: denied writes, rules that vanish, servers that hang."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import pytest

from rollout.cluster.kinds import ENDPOINT_SLICE, HTTP_ROUTE, LEASE, ROLLOUT, SERVICE
from rollout.records import journal
from rollout.records.annotations import ABORT, COMMAND
from tests.fakes import agents
from tests.fakes.cluster import Refusal
from tests.fakes.clustered import ClusterWorld
from tests.fakes.http import hook

HOLDS = {"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}}
LONG = agents.policy(canary=HOLDS)


def settled(world, version="v1"):
    return world.until(lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable", 120)


def observing(world):
    settled(world)
    world.want("v2")
    return world.phase("Observing", timeout_s=120)


def abort(world, text="back", name="agent"):
    world.api.merge(ROLLOUT, "default", name, {"metadata": {"annotations": {ABORT: text}}})


def ask(world, verb, reason="because"):
    told = {"id": f"{verb}-{time.monotonic_ns()}", "verb": verb, "actor": "ada", "reason": reason}
    world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {COMMAND: json.dumps(told)}}})
    return world.until(lambda status: told["id"] in status.get("handled", ()), 120)["lastCommand"]


def denied(path, code, words):
    def fault(method, requested):
        if method == "PATCH" and requested.endswith(path):
            raise Refusal(code, "Invalid" if code == 422 else "BadRequest", words)

    return fault


# -- writes that are denied --------------------------------------------------------------------------------------------


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
        world.until(lambda _: world.condition("Stalled").get("reason") == "RouteWriteDenied", 120)
        told = world.condition("Stalled")["message"]
        assert words in told and "httpRoute/agent/chat" in told and "not all traffic is back on v1" in told
        assert "controller's role" not in told, "rights are not what is missing"
        assert world.condition("Ready")["status"] == "False" and world.status()["phase"] == "RollingBack"
        world.until(lambda _: any(reason == "RouteWriteDenied" for _, reason, _ in world.events()), 120)
        world.cluster.fault = None
        world.phase("RolledBack", timeout_s=120)
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
        world.until(lambda _: world.condition("Stalled").get("reason") == "RouteWriteDenied", 120)
        world.until(lambda _: world.shares() == {"v1": 100, "v2": 0}, 120)
        world.until(lambda _: "As it must be: httpRoute/agent/chat" in world.condition("Stalled")["message"], 120)
        assert "httpRoute/other/chat: the change was denied" in world.condition("Stalled")["message"]
        world.cluster.fault = None
        world.phase("RolledBack", timeout_s=120)


def test_a_reference_of_another_rule_that_does_not_resolve_holds_up_no_rollback_and_no_release():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.gateway.resolves = False
        abort(world)
        world.phase("RolledBack", timeout_s=120)
        assert world.shares() == {"v1": 100, "v2": 0}
        assert ask(world, "retry")["accepted"]
        world.phase("Observing", timeout_s=120)
        assert any("ResolvedRefs" in warning for warning in world.status()["warnings"])


# -- nothing stands between an abort and its route -----------------------------------------------------------------------


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
        monkeypatch.setattr(shared, "keeper_of", lambda *_: Broken())
        monkeypatch.setattr(shared, "states_of", lambda *_: Broken())
        world.cluster.fault = lambda method, path: (
            (_ for _ in ()).throw(TimeoutError("away"))
            if any(
                plural in path for plural in ("/services", "/endpointslices", "/deployments", "/configmaps", "/events")
            )
            else None
        )
        abort(world)
        world.phase("RolledBack", timeout_s=120)
        assert world.shares() == {"v1": 100, "v2": 0}


def test_a_prometheus_that_hangs_holds_up_no_abort_of_its_own_rollout_nor_of_others():
    hang = threading.Event()

    def never():
        hang.wait(60)
        return 200, "application/json", "{}"

    with ClusterWorld(policy=LONG, backends={"service": "agent-$version", "port": 8000}) as world:
        observing(world)
        world.prometheus.answer = never
        try:
            asked = len(world.prometheus.asked)
            world.until(lambda _: len(world.prometheus.asked) > asked, 120)
            began = time.monotonic()
            abort(world)
            world.until(lambda _: world.shares() == {"v1": 100, "v2": 0}, 120)
            assert time.monotonic() - began < 8, "the query is given up after ten seconds, the abort waits for none"
        finally:
            hang.set()


# -- the rule is chosen once ---------------------------------------------------------------------------------------------


def with_beta(world_route):
    """A route without names: a header rule to v2 alone, then the rule that splits."""
    rules = world_route["spec"]["rules"]
    beta = {
        "matches": [{"headers": [{"name": "x-beta", "value": "1"}], "path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"name": "agent-v2", "port": 8000, "weight": 1}],
    }
    split = {key: value for key, value in rules[1].items() if key != "name"}
    world_route["spec"]["rules"] = [beta, split]
    return world_route


@contextmanager
def unnamed(policy=None, **spec):
    with ClusterWorld(policy=policy, start=False, routes=[{"httpRoute": {"name": "agent", **spec}}]) as world:
        found = world.api.get(HTTP_ROUTE, "default", "agent")
        world.api.merge(HTTP_ROUTE, "default", "agent", {"spec": {"rules": with_beta(found)["spec"]["rules"]}})
        world.start()
        yield world


def rules(world):
    return world.api.get(HTTP_ROUTE, "default", "agent")["spec"]["rules"]


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
        world.phase("RolledBack", timeout_s=120)
        assert beta_is_untouched(world) and len(rules(world)) == 1


def test_a_rule_whose_matches_were_edited_in_mid_flight_is_still_found_by_its_two_versions():
    with unnamed(policy=LONG) as world:
        observing(world)
        found = world.api.get(HTTP_ROUTE, "default", "agent")
        found["spec"]["rules"][1]["matches"] = [{"path": {"type": "PathPrefix", "value": "/chat"}}]
        world.api.replace(HTTP_ROUTE, "default", "agent", found)
        abort(world)
        world.phase("RolledBack", timeout_s=120)
        assert beta_is_untouched(world) and world.shares() == {"v1": 100, "v2": 0}


def test_a_third_backend_that_gets_traffic_in_mid_flight_is_told_and_left_alone():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        agents.version(world.api, "v0")
        backend = {"name": "agent-v0", "port": 8000, "weight": 100}
        add = [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        world.api.patch(HTTP_ROUTE, "default", "agent", add)
        world.until(lambda status: status.get("reason") == "RouteRefused" and "agent-v0" in status["message"], 120)
        assert world.shares()["v0"] == 100
        abort(world)
        world.phase("RolledBack", timeout_s=120)
        assert world.shares() == {"v1": 100, "v2": 0, "v0": 100}
        told = [each.message for each in journal.read(world.api, "default", "agent")[0]]
        assert any("all that the candidate had is back on v1, but" in each and "agent-v0" in each for each in told)
        assert not any("all traffic is back" in each for each in told)


# -- backends that are managed -------------------------------------------------------------------------------------------

MANAGED = [{"httpRoute": {"name": "agent", "rule": "chat", "manageBackends": True}}]


def test_nothing_is_written_into_a_route_before_the_candidates_service_and_port_are_there():
    with ClusterWorld(policy=LONG, versions=("v1",), weights=(100,), routes=MANAGED, start=False) as world:
        world.api.delete(SERVICE, "default", "agent-v2")
        world.start()
        settled(world)
        world.want("v2")
        world.until(lambda status: status.get("reason") == "BackendNotFound", 120)
        port = {"ports": [{"port": 9000}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "agent-v2"}, "spec": port}
        world.api.create(SERVICE, "default", service)
        world.until(lambda status: "has no TCP port 8000, it has 9000" in status.get("message", ""), 120)
        assert world.shares() == {"v1": 100}, "nothing was written yet"
        world.api.merge(SERVICE, "default", "agent-v2", {"spec": {"ports": [{"port": 8000}]}})
        world.phase("Observing", timeout_s=120)
        assert set(world.shares()) == {"v1", "v2"}


def test_a_backend_that_somebody_lists_at_weight_0_is_theirs_and_nobody_is_fought():
    with ClusterWorld(routes=MANAGED) as world:
        settled(world)
        world.want("v2")
        settled(world, "v2")
        writes = lambda: world.cluster.calls.count(("patch", "httproutes", "gateway.networking.k8s.io"))
        world.until(lambda _: not is_ours(world), 120)
        before = writes()
        backend = {"name": "agent-v7", "port": 8000, "weight": 0}
        add = [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        world.api.patch(HTTP_ROUTE, "default", "agent", add)
        world.want("v2", paused=False)
        seen = world.get()["metadata"]["generation"]
        world.until(lambda status: status.get("observedGeneration", 0) >= seen, 120)
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
        world.phase("RolledBack", timeout_s=120)
        world.until(lambda _: not is_ours(world), 120)


# -- ready means reachable -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ports": [{"port": 9999}], "endpoints": None}, None),
        ({"ports": []}, "listens on its port 8000"),
        ({"ports": [{"name": "metrics", "port": 9090}]}, "listens on its port 8000"),
        ({"conditions": {"ready": True, "serving": False}}, "no ready endpoint"),
        ({"conditions": {"ready": True, "terminating": True}}, "no ready endpoint"),
    ],
)
def test_endpoints_are_ready_for_a_port(change, told):
    with ClusterWorld(start=False) as world:
        found = world.api.get(ENDPOINT_SLICE, "default", "agent-v2-x")
        if "conditions" in change:
            found["endpoints"] = [{**each, "conditions": change["conditions"]} for each in found["endpoints"]]
        else:
            found["ports"] = change["ports"]
        world.api.replace(ENDPOINT_SLICE, "default", "agent-v2-x", found)
        world.start()
        settled(world)
        world.want("v2")
        if told is None:
            settled(world, "v2")
        else:
            world.until(lambda status: told in status.get("message", ""), 120)
            assert world.shares() == {"v1": 100, "v2": 0}


# -- a stable version that is down ---------------------------------------------------------------------------------------


def test_a_stable_version_that_is_down_locks_nobody_out():
    with ClusterWorld() as world:
        settled(world)
        agents.endpoints(world.api, "v1", ready=0)
        world.want("v2")
        world.until(lambda status: status.get("reason") == "StableDown", 120)
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
        settled(world, "v2")


# -- webhooks in a cluster -----------------------------------------------------------------------------------------------


def test_a_webhook_is_told_where_both_services_answer():
    with hook(True) as (url, asked):
        made = agents.policy(gates={"webhooks": [{"name": "evals", "url": url}]})
        with ClusterWorld(policy=made) as world:
            settled(world)
            world.want("v2")
            settled(world, "v2")
    assert asked[0]["urls"] == {
        "stable": "http://agent-v1.default.svc:8000",
        "candidate": "http://agent-v2.default.svc:8000",
    }


# -- adoption mistakes are told as what they are ---------------------------------------------------------------------------


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
        status = world.until(lambda status: status.get("reason") == "StableUnknown", 120)
        assert told in status["message"], status["message"]
        assert world.get()["status"]["phase"] == "Pending"


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
        world.until(lambda _: any(reason == "ClaimedByAnother" for _, reason, _ in world.events()), 120)
        before = world.get()["metadata"]["resourceVersion"]
        abort(world)
        time.sleep(1.0)
        assert world.status()["phase"] == "Observing" and world.get()["metadata"]["resourceVersion"] != before
        world.api.merge(LEASE, "rollout-system", "rollout-controller", {"spec": {"holderIdentity": ""}})
        world.phase("RolledBack", timeout_s=120)
        assert world.status()["controller"] == "default/rollout-controller-default"


# -- what lint can know of a route -----------------------------------------------------------------------------------------


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
    from rollout.cli.target import check
    from rollout.model.documents import read_files

    documents = [agents.rollout("http://p:9090", **change), agents.policy(), agents.route()]
    path = tmp_path / "all.yaml"
    path.write_text("\n---\n".join(json.dumps(each) for each in documents))
    faults = check(read_files([path]))
    assert [told in str(fault) for fault in faults] == ([True] if told else []), faults
