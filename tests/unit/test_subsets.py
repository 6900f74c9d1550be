"""Versions that share one Service of Istio's, told apart by the subsets of a DestinationRule."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import DESTINATION_RULE, ENDPOINT_SLICE
from rollout.adapters.metrics.backend_names import backend_names
from rollout.adapters.metrics.presets import PRESETS
from rollout.adapters.workloads.pods_behind import pods_behind
from rollout.adapters.workloads.service_urls import endpoint_urls, service_urls
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.engine.effects import LeaveRoute, SetWeight
from rollout.errors import PageUnavailable
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.documents import rollout_spec
from rollout.model.units import expand
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.clustered import ClusterWorld
from tests.fakes.server import FakeApi
from tests.unit.test_routes import router, weights

BACKENDS = agents.SUBSETS
NAMING = Naming("agent", "default", Backends(**BACKENDS))


def route(host="web"):
    made = agents.by_subset(agents.route(kind="virtualService"))
    for backend in made["spec"]["http"][1]["route"]:
        backend["destination"]["host"] = host
    return made


def faults(kind="virtualService", **backends):
    document = agents.rollout("http://prometheus:9090", version="v1", kind=kind, backends=backends)
    return {str(fault) for fault in rollout_spec(document["spec"])[1]}


@pytest.fixture
def api():
    """A cluster in which the pods of v1 and v2 are behind one Service, and ready."""
    made = FakeApi(FakeCluster(), "test")
    agents.subsets(made)
    return made


def redeclare(api, subsets, host="web"):
    listed = [{"name": name, "labels": labels} for name, labels in subsets.items()]
    api.merge(DESTINATION_RULE, "default", "web", {"spec": {"host": host, "subsets": listed}})


def problem(api, version="v2"):
    return ServiceWorkloads(api, NAMING, ("VirtualService",)).ready((version,))[version]


def test_a_version_is_its_subset_and_back():
    assert [NAMING.service(version) for version in ("v1", "v2")] == ["web", "web"]
    assert [NAMING.version_of("web", subset) for subset in ("v1", "", "v2.x")] == ["v1", None, None]
    assert NAMING.version_of("other", "v1") is None
    numbered = Naming("agent", "default", Backends(service="web", subset="$name-$version"), versions=("1.4.2",))
    assert numbered.subset("1.4.2") == "agent-1-4-2" and numbered.version_of("web", "agent-1-4-2") == "1.4.2"


@pytest.mark.parametrize("host", ["web", "web.default", "web.default.svc.cluster.local"])
def test_a_rule_is_read_and_split_by_subset_and_given_back(host):
    over, api = router(route(host=host), kind="virtualService", naming=NAMING)
    assert over.observe().shares == {"v1": 10000, "v2": 0} and over.observe().problem == ""
    over.apply(SetWeight("v1", "v2", 1000, bases=((over.name, 100),)))
    assert weights(api, "virtualService")[1] == [90, 10]
    over.apply(SetWeight("v1", "v2", 0, bases=((over.name, 100),), restores=True))
    over.leave(LeaveRoute(over.name, (), ()))
    assert weights(api, "virtualService")[1] == [100, 0]


def test_subsets_of_others_in_the_rule_are_never_touched():
    found = route()
    found["spec"]["http"][1]["route"].append({"destination": {"host": "other", "subset": "v2"}, "weight": 5})
    over, _ = router(found, kind="virtualService", naming=NAMING)
    assert "also sends traffic to other" in over.observe().problem


def test_a_backend_without_a_subset_is_said_and_so_is_one_that_is_missing():
    found = route()
    del found["spec"]["http"][1]["route"][1]["destination"]["subset"]
    over, _ = router(found, kind="virtualService", naming=NAMING)
    assert "host web has no subset, and spec.backends.subset ($version) tells versions apart" in over.observe().problem
    found = route()
    found["spec"]["http"][1]["route"].pop()
    over, _ = router(found, kind="virtualService", naming=NAMING)
    assert '"subset": "v2"' in over.observe().problem, "the patch that adds it"


def test_what_is_not_declared_is_told_with_what_to_declare():
    over, _ = router(route(), kind="virtualService")
    assert "backends: {service: web, subset: $version}" in over.observe().problem


def test_a_version_is_ready_when_its_subset_selects_a_ready_pod(api):
    assert problem(api, "v1") == "" and problem(api, "v2") == ""
    assert ServiceWorkloads(api, NAMING, ("VirtualService",)).known(("v1", "v2", "v3")) == ("v1", "v2")
    assert "it has v1, v2" in problem(api, "v3") and "add {name: v3" in problem(api, "v3")


@pytest.mark.parametrize(
    ("subsets", "said"),
    [
        ({"v1": {"version": "v1"}, "v2": {"version": "two"}}, "selects no pod of the Service (version=two)"),
        ({"v1": {"version": "v1"}, "v2": {}}, "has no labels, so it selects every version"),
        ({"v1": {"app": "web"}, "v2": {"app": "web"}}, "subsets v2 and v1 of default/web select the same pods"),
    ],
)
def test_a_subset_that_does_not_tell_versions_apart_gets_no_traffic(api, subsets, said):
    redeclare(api, subsets)
    assert said in problem(api)


def test_a_destination_rule_of_another_host_does_not_count(api):
    redeclare(api, {"v1": {"version": "v1"}, "v2": {"version": "v2"}}, host="web.elsewhere.svc.cluster.local")
    assert "there is no DestinationRule for default/web" in problem(api)


def test_pods_of_the_other_version_make_none_ready(api):
    api.delete(ENDPOINT_SLICE, "default", "web-v2")
    assert "subset v2 of default/web selects no pod of the Service" in problem(api) and problem(api, "v1") == ""


def test_pages_of_a_version_are_asked_for_at_its_own_pods_and_counted_by_them(api):
    addresses = endpoint_urls(api, NAMING, ("VirtualService",))
    assert [addresses(version) for version in ("v1", "v2")] == [["http://10.0.0.1:8000"], ["http://10.0.0.2:8000"]]
    with pytest.raises(PageUnavailable, match="has no subset v3"):
        addresses("v3")
    assert service_urls(api, NAMING)("v2") == [], "the shared Service is nobody's own address"
    assert pods_behind(api, NAMING, "v2").names == {"agent-v2"}


@pytest.mark.parametrize("preset", ["istio/errors", "gateway/errors"])
def test_counters_of_routers_tell_subsets_apart(preset):
    total = PRESETS[preset].total
    texts = {version: expand(total, version=version, **backend_names(NAMING)(version)) for version in ("v1", "v2")}
    assert texts["v1"] != texts["v2"]
    own = Naming("agent", "default", Backends(service="$name-$version"))
    assert "destination_version" not in expand(total, version="v1", **backend_names(own)("v1"))


def test_what_subsets_go_with_is_checked_before_anything_is_done():
    assert faults(**BACKENDS) == set()
    assert any("knows no subsets" in fault for fault in faults("httpRoute", **BACKENDS))
    assert any("tells versions apart already" in fault for fault in faults(**{**BACKENDS, "service": "web-$version"}))
    assert any("all versions have the same name" in fault for fault in faults(**{**BACKENDS, "subset": "stable"}))
    shared = {**BACKENDS, "deployment": "$service"}
    assert any("backends.deployment" in fault for fault in faults(**shared)), "draining one would stop them all"
    assert any("each has its own" in fault for fault in faults(versions={"v1": "web"}, subset="$version"))


def test_a_release_is_promoted_from_subset_to_subset():
    with ClusterWorld(kind="virtualService", backends=BACKENDS) as world:
        world.until(lambda status: status.get("phase") == "Stable" and status.get("stableVersion") == "v1")
        world.want("v2")
        status = world.until(lambda status: status.get("stableVersion") == "v2")
        assert status["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}


def test_a_worse_version_is_sent_back_to_the_subset_it_came_from():
    with ClusterWorld(kind="virtualService", backends=BACKENDS) as world:
        world.fails["v2"] = 0.6
        world.until(lambda status: status.get("phase") == "Stable")
        world.want("v2")
        world.until(lambda status: status.get("phase") == "RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}
