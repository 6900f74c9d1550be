"""Whole releases on a real API server, with a small writer of route statuses in place of a gateway."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from rollout.adapters.kubernetes.resources import DEPLOYMENT, HTTP_ROUTE, ROLLOUT
from rollout.adapters.storage import history_configmap
from rollout.adapters.storage.command_annotations import ABORT
from rollout.errors import ClusterUnavailable
from tests.cluster.world import ACCOUNT, RealWorld
from tests.fakes import agents

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
WAIT_S = 60
LONG = {"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}}


def settled(world, version="v1"):
    return world.until(
        lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable", WAIT_S
    )


def observing(world):
    settled(world)
    world.want("v2")
    return world.phase("Observing", timeout_s=WAIT_S)


@pytest.mark.parametrize("kind", ["httpRoute", "grpcRoute", "virtualService"])
def test_a_good_version_is_promoted_and_the_route_is_its_owners_again(server, namespace, kind):
    with RealWorld(server, namespace, kind=kind) as world:
        settled(world)
        before = world.api.get(world.route_kind, namespace, "agent")["spec"]
        world.want("v2")
        status = settled(world, "v2")
        assert status["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}
        world.until(lambda _: not world.get()["metadata"].get("finalizers"), WAIT_S)

        def ours(_):
            found = world.api.get(world.route_kind, namespace, "agent")["metadata"]["managedFields"]
            return "rollout-controller" in {each["manager"] for each in found}

        world.until(lambda _: not ours(_), WAIT_S)
        after = world.api.get(world.route_kind, namespace, "agent")["spec"]
        lists = ("http", "route") if kind == "virtualService" else ("rules", "backendRefs")
        backends = after[lists[0]][1][lists[1]]
        backends[0]["weight"], backends[1]["weight"] = 100, 0
        assert after == before, "two weights, and nothing else"


def test_with_roles_the_stable_service_is_given_its_traffic_back_once_it_runs_what_was_promoted(server, namespace):
    with RealWorld(server, namespace, backends=agents.ROLES) as world:
        settled(world)
        before = world.api.get(HTTP_ROUTE, namespace, "agent")["spec"]
        world.want("v2")
        settled(world, "v2")
        assert world.shares() == {"web-stable": 0, "web-canary": 100}
        world.run("web-stable", "v2")
        server.kubectl("-n", namespace, "wait", "--for=condition=RolesSettled", "arl/agent", f"--timeout={WAIT_S}s")
        assert world.api.get(HTTP_ROUTE, namespace, "agent")["spec"] == before, "as it was found, to the last field"


def test_with_swap_the_controller_rolls_the_promoted_image_out_and_gives_the_traffic_back(server, namespace):
    server.kubectl("-n", namespace, "apply", "-f", "-", text=_promoter(namespace))
    swap = {**agents.ROLES, "roles": {**agents.ROLES["roles"], "promotion": "swap"}}
    with RealWorld(server, namespace, backends=swap) as world:
        settled(world)
        world.want("v2")
        settled(world, "v2")
        server.kubectl("-n", namespace, "wait", "--for=condition=RolesSettled", "arl/agent", f"--timeout={WAIT_S}s")
        assert world.shares() == {"web-stable": 100, "web-canary": 0}
        template = world.api.get(DEPLOYMENT, namespace, "web-stable")["spec"]["template"]
        assert template["spec"]["containers"][0]["image"] == "registry/agent:v2"


def _promoter(namespace):
    """The example's rights, in another namespace."""
    return (
        (ROOT / "manifests/examples/image-promoter.yaml")
        .read_text()
        .replace("namespace: agents", f"namespace: {namespace}")
    )


def test_an_owner_who_applies_its_route_from_the_server_side_meets_no_conflict_at_rest(server, namespace):
    with RealWorld(server, namespace) as world:
        observing(world)
        found = world.api.get(HTTP_ROUTE, namespace, "agent")
        mine = {
            "apiVersion": HTTP_ROUTE.api_version,
            "kind": "HTTPRoute",
            "metadata": {"name": "agent", "namespace": namespace},
            "spec": json.loads(json.dumps(found["spec"])),
        }
        mine["spec"]["rules"][1]["backendRefs"][0]["weight"] = 7
        apply = lambda: server.kubectl(
            "apply", "--server-side", "--field-manager=owner", "-f", "-", text=json.dumps(mine), check=False
        )
        assert "conflict" in apply().stderr, "while a release is under way the weights are the controller's"
        world.api.merge(ROLLOUT, namespace, "agent", {"metadata": {"annotations": {ABORT: "back"}}})
        world.phase("RolledBack", timeout_s=WAIT_S)
        end = time.monotonic() + WAIT_S
        while (done := apply()).returncode:
            assert time.monotonic() < end, done.stderr
            time.sleep(0.5)


def test_a_bad_version_is_rolled_back_with_events_a_journal_and_conditions(server, namespace):
    with RealWorld(server, namespace) as world:
        settled(world)
        world.fails["v2"] = 0.6
        world.want("v2")
        world.phase("RolledBack", timeout_s=WAIT_S)
        assert world.shares() == {"v1": 100, "v2": 0}
        world.until(lambda _: any(reason == "Worse" for _, reason, _ in world.events()), WAIT_S)
        world.until(lambda _: history_configmap.read(world.api, world.get())[1], WAIT_S)
        described = server.kubectl("-n", namespace, "describe", "rollout", "agent").stdout
        assert "v2 is worse than v1" in described
        assert len(described.splitlines()) < 200, "what people read of it fits on some screens"
        row = server.kubectl("-n", namespace, "get", "arl", "agent").stdout.splitlines()
        assert row[0].split()[:5] == ["NAME", "VERSION", "STABLE", "PHASE", "READY"] or "PHASE" in row[0]
        assert "RolledBack" in row[1]


def test_kubectl_waits_for_a_promotion(server, namespace):
    with RealWorld(server, namespace) as world:
        settled(world)
        world.want("v2")
        waiting = subprocess.Popen(
            [str(server.folder / "kubectl"), "--kubeconfig", str(server.kubeconfig), "-n", namespace, "wait",
             "--for=jsonpath={.status.stableVersion}=v2", "arl/agent", f"--timeout={WAIT_S}s"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        out, _ = waiting.communicate(timeout=WAIT_S + 30)
        assert waiting.returncode == 0, out
        server.kubectl("-n", namespace, "wait", "--for=condition=Ready", "arl/agent", f"--timeout={WAIT_S}s")


def test_a_write_that_an_admission_policy_denies_is_told_in_its_words(server, namespace):
    name = f"deny-{namespace}"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["gateway.networking.k8s.io"],
                        "apiVersions": ["v1"],
                        "operations": ["UPDATE"],
                        "resources": ["httproutes"],
                    }
                ]
            },
            "validations": [
                {"expression": f"object.metadata.namespace != '{namespace}'", "message": "ask the network team"}
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    with RealWorld(server, namespace, policy=agents.policy(canary=LONG)) as world:
        observing(world)
        server.kubectl("apply", "-f", "-", text=yaml.safe_dump_all([policy, binding]))
        try:
            end = time.monotonic() + WAIT_S
            while True:  # a policy takes a moment to be in force
                try:
                    labels = {"metadata": {"labels": {"at": str(time.monotonic_ns())}}}
                    world.api.merge(HTTP_ROUTE, namespace, "agent", labels)
                except ClusterUnavailable:
                    break
                assert time.monotonic() < end
            world.api.merge(ROLLOUT, namespace, "agent", {"metadata": {"annotations": {ABORT: "back"}}})
            world.until(lambda _: world.condition("Stalled").get("reason") == "RouteWriteDenied", WAIT_S)
            assert "ask the network team" in world.condition("Stalled")["message"]
        finally:
            server.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)
        world.phase("RolledBack", timeout_s=120)
        assert world.shares() == {"v1": 100, "v2": 0}


def test_a_rollout_that_is_deleted_in_mid_flight_leaves_the_route_as_it_was_found(server, namespace):
    with RealWorld(server, namespace, policy=agents.policy(canary=LONG), weights=(3, 0)) as world:
        observing(world)
        world.api.delete(ROLLOUT, namespace, "agent")
        end = time.monotonic() + WAIT_S
        while world.api.list_all(ROLLOUT, namespace)[0]:
            assert time.monotonic() < end, world.status()
            time.sleep(0.1)
        assert world.shares() == {"v1": 3, "v2": 0}
        server.kubectl("-n", namespace, "wait", "--for=delete", "configmap/agent-rollout", "--timeout=240s")


def test_a_backend_is_added_to_a_managed_route_and_taken_out_again(server, namespace):
    routes = [{"httpRoute": {"name": "agent", "rule": "chat", "manageBackends": True}}]
    policy = agents.policy(canary=LONG)
    with RealWorld(server, namespace, policy=policy, versions=("v1",), weights=(100,), routes=routes) as world:
        observing(world)
        world.api.merge(ROLLOUT, namespace, "agent", {"metadata": {"annotations": {ABORT: "back"}}})
        world.phase("RolledBack", timeout_s=WAIT_S)
        world.until(lambda _: "v2" not in world.shares(), WAIT_S)
        assert world.shares() == {"v1": 100}


def granted():
    """What the controller's roles allow: (verb, resource, group)."""
    path = ROOT / "manifests/access/controller-role.yaml"
    roles = [each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == "ClusterRole"]
    return {
        (verb, resource, group)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_controller_asks_for_nothing_that_it_may_not(server, namespace):
    """Under its own token: a sleeping candidate, contracts in ConfigMaps, a deletion. No request is refused."""
    with RealWorld(server, namespace, policy=agents.policy(canary=LONG)) as world:
        settled(world)
        world.api.merge(DEPLOYMENT, namespace, "agent-v2", {"spec": {"replicas": 0}})
        agents.endpoints(world.api, "v2", namespace=namespace, ready=0, address=world.address)
        world.want("v2")
        world.until(lambda _: world.api.get(DEPLOYMENT, namespace, "agent-v2")["spec"]["replicas"] == 1, WAIT_S)
        agents.endpoints(world.api, "v2", namespace=namespace, address=world.address)
        world.phase("Observing", timeout_s=WAIT_S)
        world.api.delete(ROLLOUT, namespace, "agent")
        end = time.monotonic() + WAIT_S
        while world.api.list_all(ROLLOUT, namespace)[0]:
            assert time.monotonic() < end
            time.sleep(0.1)
    asked = server.requests_of(ACCOUNT)
    refused = [each for each in asked if each["responseStatus"]["code"] == 403]
    assert asked and not refused, refused[:3]
    used = {
        (
            each["verb"],
            each["objectRef"]["resource"]
            + (f"/{each['objectRef']['subresource']}" if "subresource" in each["objectRef"] else ""),
            each["objectRef"].get("apiGroup", ""),
        )
        for each in asked
        if "objectRef" in each
    }
    own = {("get", "leases"), ("create", "leases"), ("update", "leases")}
    by_the_example = {("patch", "deployments", "apps")}  # image-promoter.yaml, for `promotion: swap`
    asked_for = {each for each in used if each[:2] not in own}
    assert asked_for <= granted() | by_the_example, asked_for - granted()
