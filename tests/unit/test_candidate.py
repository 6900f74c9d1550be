"""`rollout start VERSION --image`: the candidate is made from stable, and nothing of anybody else's is touched."""

from __future__ import annotations

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rollout.adapters.kubernetes.resources import DEPLOYMENT, SERVICE
from rollout.adapters.workloads.candidate import VERSION_LABEL, Names, Origin, Wanted, candidate_of, faults_of, overlap
from tests.controller.steps import HOLDS, abort
from tests.fakes import agents
from tests.unit.test_cluster_cli import shell

MANAGED = [{"httpRoute": {"name": "agent", "rule": "chat", "manageBackends": True}}]
OLD, NEW = Names("v1", "agent-v1", "agent-v1"), Names("v2", "agent-v2", "agent-v2")
IMAGE = "registry.example.com/agent:2.0@sha256:" + "a" * 64


def stable(labels=None, selector=None, **service):
    """What stable runs on. selector: of the Service, the Deployment's own where none is given."""
    labels = labels or {"app": "agent", "version": "v1"}
    container = {"name": "agent", "image": "registry/agent:1.0", "env": [{"name": "MODEL", "value": "m"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "agent-v1",
            "labels": {**labels, "app.kubernetes.io/instance": "shop"},
            "annotations": {"argocd.argoproj.io/tracking-id": "shop:agent-v1", "team": "x"},
            "uid": "1",
            "resourceVersion": "7",
        },
        "spec": {"replicas": 3, "selector": {"matchLabels": dict(labels)}, "template": template},
        "status": {"replicas": 3},
    }
    spec = {"ports": [{"port": 8000, "nodePort": 31000}], "selector": selector or dict(labels), "clusterIP": "10.0.0.7"}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "agent-v1"}, "spec": {**spec, **service}}
    return Origin("agent", "u1", OLD, deployment, body)


def test_names_labels_and_selectors_say_the_candidate_and_everything_else_is_as_it_was():
    origin = stable()
    before = copy.deepcopy(origin)
    deployment, service = candidate_of(origin, Wanted("v2", IMAGE, environment={"VERSION": "v2"}), NEW)
    assert deployment["spec"]["selector"]["matchLabels"] == {"app": "agent", "version": "v2"}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": "agent", "version": "v2"}
    assert service["spec"]["selector"] == {"app": "agent", "version": "v2"}
    assert deployment["spec"]["replicas"] == 0, "whoever carries the release out wakes it"
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == IMAGE
    assert container["env"] == [{"name": "MODEL", "value": "m"}, {"name": "VERSION", "value": "v2"}]
    assert origin == before


def test_every_label_selector_in_the_pods_says_the_candidate():
    """Else its pods would be spread, and kept apart, by where those of stable are."""
    origin = stable()
    same = {"matchLabels": {"app": "agent", "version": "v1"}}
    listed = {
        "matchExpressions": [
            {"key": "version", "operator": "In", "values": ["v1", "v0"]},
            {"key": "app", "operator": "Exists"},
        ]
    }
    pods = origin.deployment["spec"]["template"]["spec"]
    pods["topologySpreadConstraints"] = [{"maxSkew": 1, "topologyKey": "zone", "labelSelector": same}]
    rule = {"topologyKey": "host", "labelSelector": listed}
    pods["affinity"] = {
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": rule}]}
    }
    origin.deployment["spec"]["selector"] = {
        "matchLabels": {"app": "agent"},
        "matchExpressions": [{"key": "version", "operator": "In", "values": ["v1"]}],
    }
    before = copy.deepcopy(origin)
    spec = candidate_of(origin, Wanted("v2", IMAGE), NEW)[0]["spec"]
    inner = spec["template"]["spec"]
    assert inner["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": {"app": "agent", "version": "v2"}}
    (term,) = inner["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"]["matchExpressions"][0]["values"] == ["v2", "v0"]
    assert term["podAffinityTerm"]["labelSelector"]["matchExpressions"][1] == {"key": "app", "operator": "Exists"}
    assert spec["selector"]["matchExpressions"][0]["values"] == ["v2"]
    assert VERSION_LABEL not in spec["selector"]["matchLabels"] and origin == before


def test_nobody_who_tracks_the_stable_objects_takes_the_candidates_for_its_own():
    for made in candidate_of(stable(), Wanted("v2", IMAGE), NEW):
        metadata = made["metadata"]
        assert metadata["annotations"]["rollout.dev/made-for"] == "u1" and "uid" not in metadata
        assert not any("argocd" in key for key in metadata["annotations"])
        assert "app.kubernetes.io/instance" not in metadata["labels"] and "status" not in made


def test_a_second_service_claims_no_address_and_no_port_of_the_first():
    origin = stable(type="LoadBalancer", loadBalancerIP="1.2.3.4", healthCheckNodePort=32000)
    _, service = candidate_of(origin, Wanted("v2", IMAGE), NEW)
    assert service["spec"] == {
        "ports": [{"port": 8000}], "selector": {"app": "agent", "version": "v2"}, "type": "ClusterIP",
    }  # fmt: skip


def test_pods_that_nothing_tells_apart_get_a_label_that_does():
    origin = stable(labels={"app": "agent"}, selector={"app": "agent", "track": "x"})
    origin.deployment["spec"]["template"]["metadata"]["labels"] = {"app": "agent", "track": "x"}
    deployment, service = candidate_of(origin, Wanted("v2", IMAGE), NEW)
    assert deployment["spec"]["selector"]["matchLabels"][VERSION_LABEL] == "v2"
    assert service["spec"]["selector"][VERSION_LABEL] == "v2"
    fault = overlap(origin, deployment)
    assert fault is not None and "would send its users to the candidate's pods too" in fault.message


def two_containers(origin):
    origin.deployment["spec"]["template"]["spec"]["containers"].append({"name": "proxy", "image": "p"})


REFUSED = {
    "two containers and no name": (two_containers, Wanted("v2", IMAGE), "which of the 2 containers"),
    "no such container": (lambda origin: None, Wanted("v2", IMAGE, "web"), "is no container of the Deployment"),
    "no selector": (lambda origin: origin.service["spec"].pop("selector"), Wanted("v2", IMAGE), "selects no pods"),
    "an external name": (
        lambda origin: origin.service["spec"].update(type="ExternalName"), Wanted("v2", IMAGE), "selects no pods",
    ),
    "another selector": (
        lambda origin: origin.service["spec"].update(selector={"app": "other"}), Wanted("v2", IMAGE), "does not select the pods",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_made_is_told_beforehand(what):
    change, wanted, told = REFUSED[what]
    origin = stable()
    change(origin)
    assert any(told in fault.message for fault in faults_of(origin, wanted))


VALUES = st.sampled_from(["v1", "agent-v1", "agent", "x"])


@given(st.dictionaries(st.sampled_from(["app", "version", "tier"]), VALUES, min_size=1))
def test_the_candidates_service_selects_its_own_pods_and_no_other_service_does(labels):
    origin = stable(labels=labels)
    deployment, service = candidate_of(origin, Wanted("v2", IMAGE), NEW)
    pods = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pods.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pods.items()
    assert not service["spec"]["selector"].items() <= labels.items(), "stable's pods are not the candidate's"
    assert (overlap(origin, deployment) is None) == (not labels.items() <= pods.items())


def by_hand(world):
    """Let stable's Service select its pods, as one in a cluster does."""
    world.api.merge(SERVICE, "default", "agent-v1", {"spec": {"selector": {"app": "agent-v1"}}})


def names(world, kind):
    return {each["metadata"]["name"] for each in world.api.list_all(kind, "default")[0]}


def replicas(world, name):
    return world.api.get(DEPLOYMENT, "default", name)["spec"]["replicas"]


def test_a_dry_run_prints_what_would_be_made_and_makes_nothing(tmp_path):
    with shell(tmp_path, versions=("v1",), weights=(100,), routes=MANAGED) as rollout:
        by_hand(rollout.world)
        before = names(rollout.world, DEPLOYMENT) | names(rollout.world, SERVICE)
        out, _ = rollout("start", "v3", "--image", IMAGE, "--dry-run")
        service, deployment = yaml.safe_load_all(out)
        assert (service["kind"], deployment["kind"]) == ("Service", "Deployment")
        assert deployment["metadata"]["name"] == "agent-v3"
        assert names(rollout.world, DEPLOYMENT) | names(rollout.world, SERVICE) == before
        assert rollout.world.get()["spec"]["version"] == "v1"


def test_a_version_is_made_released_put_to_sleep_when_it_fails_and_taken_away_by_the_next(tmp_path):
    policy = agents.policy(canary=HOLDS, drain={"deadline": "1s"})
    with shell(tmp_path, policy=policy, versions=("v1",), weights=(100,), routes=MANAGED) as rollout:
        world = rollout.world
        by_hand(world)
        _, err = rollout("start", "v3", "--image", IMAGE, "--env", "VERSION=v3")
        assert "made the Deployment and the Service of v3: agent-v3, agent-v3" in err
        world.until(lambda _: replicas(world, "agent-v3") == 1)
        agents.endpoints(world.api, "v3")
        world.phase("Observing")
        abort(world)
        world.phase("RolledBack")
        world.until(lambda status: replicas(world, "agent-v3") == 0 and "v3" not in status.get("draining", ()))
        world.until(lambda _: "v3" not in world.shares())
        _, err = rollout("start", "v4", "--image", IMAGE.replace("2.0", "3.0"))
        assert "took away what is over: Service agent-v3, Deployment agent-v3" in err
        assert {"agent-v1", "agent-v4"} <= names(world, DEPLOYMENT) and "agent-v3" not in names(world, DEPLOYMENT)


def test_what_is_not_ours_or_is_another_image_is_never_written_over(tmp_path):
    with shell(tmp_path, versions=("v1",), weights=(100,), routes=MANAGED) as rollout:
        by_hand(rollout.world)
        _, err = rollout("start", "v2", "--image", IMAGE, expect=2)
        assert err.count("is there already, and was not made for this Rollout") == 2
        rollout("start", "v3", "--image", IMAGE)
        _, err = rollout("start", "v3", "--image", IMAGE)
        assert "found the Deployment and the Service of v3" in err
        _, err = rollout("start", "v3", "--image", IMAGE.replace("a" * 64, "b" * 64), expect=2)
        assert "is there already, with the image" in err and "a version stays what it is" in err
        assert rollout.world.get()["spec"]["version"] == "v3"


def test_all_that_stands_in_the_way_is_told_at_once_and_nothing_is_changed(tmp_path):
    with shell(tmp_path) as rollout:
        _, err = rollout("start", "v3", "--image", "Not An Image", expect=2)
        assert "is no image" in err
        _, err = rollout("start", "v3", "--image", IMAGE, "--container", "web", expect=2)
        assert "--container" in err and "selects no pods" in err
        _, err = rollout("start", "not/a version", "--image", IMAGE, expect=2)
        assert "is not of the right form" in err
        _, err = rollout("start", "v3", "--env", "A=b", "--dry-run", expect=2)
        assert err.count("goes with --image alone") == 2
        assert rollout.world.get()["spec"]["version"] == "v1"
