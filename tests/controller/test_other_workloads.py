"""Versions that run on what is no Deployment: StatefulSets, Argo's Rollouts, Knative's Revisions. Read, never written."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import DEPLOYMENT, SERVICE, Kind
from tests.controller.steps import released
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld

STATEFUL_SET = Kind("StatefulSet", "statefulsets", "apps")
ARGO = Kind("Rollout", "rollouts", "argoproj.io", "v1alpha1")
REVISION = Kind("Revision", "revisions", "serving.knative.dev")
BY_SERVICE = {"service": "$name-$version", "port": 8000}


def run_on(world, kind, version):
    """Let a version run on another kind of workload: its pods are behind its Service as before."""
    name = f"agent-{version}"
    world.api.delete(DEPLOYMENT, "default", name)
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": {"replicas": 1}}
    world.api.create(kind, "default", body)
    if kind is REVISION:  # its Service selects nothing: Knative writes the endpoints itself
        world.api.merge(SERVICE, "default", name, {"spec": {"selector": None}})


@pytest.mark.parametrize("kind", [STATEFUL_SET, ARGO, REVISION], ids=lambda kind: f"{kind.kind} of {kind.group}")
@pytest.mark.parametrize("deployment", [{}, {"deployment": "$name-$version"}], ids=["none declared", "one declared"])
def test_versions_are_released_by_their_endpoints_whatever_their_pods_are_made_by(kind, deployment):
    with ClusterWorld(start=False, backends={**BY_SERVICE, **deployment}) as world:
        for version in ("v1", "v2"):
            run_on(world, kind, version)
        before = [world.api.get(kind, "default", f"agent-{version}") for version in ("v1", "v2")]
        world.start()
        assert released(world)["result"] == "promoted"
        assert [world.api.get(kind, "default", f"agent-{version}") for version in ("v1", "v2")] == before


def test_one_without_pods_gets_no_traffic_and_is_not_woken():
    with ClusterWorld(start=False, backends=BY_SERVICE) as world:
        run_on(world, STATEFUL_SET, "v2")
        agents.endpoints(world.api, "v2", ready=0)
        world.start()
        world.until(lambda status: status.get("stableVersion") == "v1")
        world.want("v2")
        world.until(lambda status: "has no ready endpoint: check its pods" in status.get("message", ""))
        assert world.shares() == {"v1": 100, "v2": 0}
        assert world.api.get(STATEFUL_SET, "default", "agent-v2")["spec"]["replicas"] == 1
