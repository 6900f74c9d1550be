"""Backends that are no Services: told apart by group and kind, ready by their Deployment's pods."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import DEPLOYMENT, POD
from rollout.adapters.routers.gateway_api import GATEWAY
from rollout.adapters.workloads.service_urls import endpoint_urls
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.validation.rollout import templates
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.fakes.shapes import POOL, pod_alone

BACKENDS = {"service": "$name-$version", "deployment": "$name-$version", "reference": POOL}
NAMING = Naming("agent", "default", Backends.model_validate(BACKENDS))


@pytest.fixture
def api():
    api = FakeApi(FakeCluster())
    for version in ("v1", "v2"):
        agents.version(api, version)
        pod_alone(api, f"agent-{version}", "default")
    return api


def ready(api):
    return ServiceWorkloads(api, NAMING, ("HTTPRoute",)).ready(("v1", "v2"))


def test_a_version_is_ready_when_a_pod_of_its_deployment_is(api):
    assert ready(api) == {"v1": "", "v2": ""}
    api.merge(
        POD, "default", "agent-v2", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, sub="status"
    )
    assert "agent-v2 has no ready endpoint: check its pods and its Deployment" in ready(api)["v2"]


def test_what_is_not_there_is_named(api):
    api.delete(DEPLOYMENT, "default", "agent-v2")
    assert "there is no Deployment default/agent-v2 behind agent-v2" in ready(api)["v2"]
    assert ServiceWorkloads(api, NAMING, ("HTTPRoute",)).known(("v1", "v2")) == ("v1",)


def test_a_version_is_asked_at_its_pods(api):
    container = {"name": "agent", "image": "i", "ports": [{"containerPort": 9000}]}
    spec = {"template": {"spec": {"containers": [container]}}}
    api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": spec})
    assert endpoint_urls(api, NAMING, ("HTTPRoute",))("v2") == ["http://10.0.0.9:9000"]


def test_a_backend_of_another_kind_is_not_taken_for_ours():
    ours = {**POOL, "name": "agent-v1"}
    assert GATEWAY.version_of(ours, NAMING) == "v1"
    assert GATEWAY.version_of({"name": "agent-v1"}, NAMING) is None
    services = Naming("agent", "default", Backends(service="$name-$version"))
    assert GATEWAY.version_of(ours, services) is None
    declares = "declare spec.backends.reference: {group: inference.networking.k8s.io, kind: InferencePool}"
    assert declares in GATEWAY.why_not(ours, services)
    assert GATEWAY.new_backend("v2", NAMING) == {**POOL, "name": "agent-v2"}


@pytest.mark.parametrize(
    ("change", "route", "said"),
    [
        ({"deployment": None}, "httpRoute", "it says which pods are ready"),
        ({"namespace": "other"}, "httpRoute", "goes with Services"),
        ({}, "virtualService", "names hosts"),
    ],
)
def test_what_it_does_not_go_with_is_told_beforehand(change, route, said):
    backends = {key: value for key, value in {**BACKENDS, **change}.items() if value is not None}
    faults = [str(fault) for fault in templates({"backends": backends, "routes": [{route: {"name": "agent"}}]})]
    assert len(faults) == 1 and said in faults[0]
