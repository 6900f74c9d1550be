"""Services whose names follow no template: each version's is named in `backends.versions`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.engine.effects import SetWeight
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.documents import rollout_spec
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.clustered import ClusterWorld
from tests.fakes.server import FakeApi
from tests.unit.test_routes import router, weights

NAMES = {"v1": "web", "v2": "web-next"}
NAMING = Naming("agent", "default", Backends(versions=NAMES, deployment="$service", port=8000))


def route(kind="httpRoute"):
    found = agents.route(kind=kind)
    rules = found["spec"]["http" if kind == "virtualService" else "rules"]
    backends = rules[1]["route" if kind == "virtualService" else "backendRefs"]
    for backend, name in zip(backends, NAMES.values(), strict=True):
        if kind == "virtualService":
            backend["destination"]["host"] = name
        else:
            backend["name"] = name
    return found


def faults(**backends):
    document = agents.rollout("http://prometheus:9090", version="v1", backends=backends)
    return {str(fault) for fault in rollout_spec(document["spec"])[1]}


def test_a_version_is_its_service_and_back_and_a_deployment_may_be_called_like_it():
    assert [NAMING.service(version) for version in ("v1", "v2", "v3")] == ["web", "web-next", ""]
    assert [NAMING.version_of(name) for name in ("web", "web-next", "web-v3")] == ["v1", "v2", None]
    assert [NAMING.deployment(version) for version in ("v2", "v3")] == ["web-next", None]


@pytest.mark.parametrize("kind", ["httpRoute", "grpcRoute", "virtualService"])
def test_a_rule_is_read_and_split_by_the_names(kind):
    over, api = router(route(kind), kind=kind, naming=NAMING)
    assert over.observe().shares == {"v1": 10000, "v2": 0} and over.observe().problem == ""
    over.apply(SetWeight("v1", "v2", 1000, bases=((over.name, 100),)))
    assert weights(api, kind)[1] == [90, 10]


def test_a_version_that_is_not_named_is_said_with_where_to_name_it():
    over, _ = router(route(), naming=NAMING, versions=("v1", "v3"))
    assert "it is not in spec.backends.versions (v1: web, v2: web-next); add it" in over.observe().problem
    workloads = ServiceWorkloads(FakeApi(FakeCluster()), NAMING, ("HTTPRoute",))
    assert "v3 is not in spec.backends.versions" in workloads.ready(("v3",))["v3"]
    unnamed = ServiceWorkloads(FakeApi(FakeCluster()), replace(NAMING, versions=("v3", "v4")), ("HTTPRoute",))
    assert "v3 is not in spec.backends.versions" in unnamed.ready(("v3",))["v3"], "and not that v4 has its Service"
    assert workloads.known(("v1", "v3")) == () and "spec.backends.versions" in workloads.no_backend


def test_two_versions_with_one_service_are_refused_and_so_is_a_template_beside_names():
    assert any("is the Service of v1 already" in fault for fault in faults(versions={"v1": "web", "v2": "web"}))
    assert any("exactly one of" in fault for fault in faults(versions=NAMES, service="$name-$version"))
    assert any("versions" in fault for fault in faults(versions={"v1": "No Name"}))
    assert faults(versions=NAMES, deployment="$service") == set()


def test_a_release_is_promoted_between_services_that_are_named():
    named = {"versions": {"v1": "agent-v1", "v2": "agent-v2"}, "deployment": "$service", "port": 8000}
    with ClusterWorld(backends=named) as world:
        world.until(lambda status: status.get("phase") == "Stable" and status.get("stableVersion") == "v1")
        world.want("v2")
        status = world.until(lambda status: status.get("stableVersion") == "v2")
        assert status["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}
