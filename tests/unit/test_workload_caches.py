"""Services, EndpointSlices and Deployments come from watches; what these cannot tell is asked for."""

from __future__ import annotations

import collections

import pytest

from rollout.adapters.kubernetes.read_once import ReadOnce
from rollout.adapters.kubernetes.resources import CONFIG_MAP, DEPLOYMENT, ENDPOINT_SLICE, SERVICE
from rollout.adapters.kubernetes.slim import KINDS, SERVICE_NAME
from rollout.adapters.kubernetes.workload_caches import NAMESPACES_MAX, WorkloadCaches
from rollout.errors import NotFound
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.waiting import eventually


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def api(cluster):
    return FakeApi(cluster, "test")


@pytest.fixture
def caches(cluster):
    caches = WorkloadCaches(FakeApi(cluster))
    yield caches
    caches.stop()


def calls(cluster, verb):
    return [what for kind, what, _ in cluster.calls if kind == verb]


def slices_of(caches, version, namespace="default"):
    listed = caches.listed(ENDPOINT_SLICE, namespace, {"labelSelector": f"{SERVICE_NAME}=agent-{version}"})
    return None if listed is None else [obj["metadata"]["name"] for obj in listed]


def test_what_is_watched_is_told_without_a_call_and_follows_what_changes(cluster, api, caches):
    agents.version(api, "v1")
    assert caches.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 1
    assert caches.get(SERVICE, "default", "agent-v1")["metadata"]["name"] == "agent-v1"
    assert len(slices_of(caches, "v1")) == 1 and slices_of(caches, "v9") == []
    cluster.calls.clear()
    api.merge(DEPLOYMENT, "default", "agent-v1", {"spec": {"replicas": 4}})
    eventually(lambda: caches.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 4, 60, "the change is seen")
    agents.endpoints(api, "v1", ready=3)
    eventually(
        lambda: len(caches.listed(ENDPOINT_SLICE, "default", {"labelSelector": f"{SERVICE_NAME}=agent-v1"})[0]["endpoints"]) == 3,
        60,
        "the endpoints are seen",
    )  # fmt: skip
    assert "deployments" not in calls(cluster, "get"), "nobody has asked for it"


def test_slices_that_come_to_be_of_another_service_are_found_there(api, caches):
    agents.version(api, "v1")
    (name,) = slices_of(caches, "v1")
    api.merge(ENDPOINT_SLICE, "default", name, {"metadata": {"labels": {SERVICE_NAME: "agent-v2"}}})
    eventually(lambda: slices_of(caches, "v2") == [name] and slices_of(caches, "v1") == [], 60, "the slice has moved")


def test_many_namespaces_are_watched_by_one_watch_of_each_kind(cluster, api, caches):
    spaces = [f"team{number}" for number in range(NAMESPACES_MAX + 3)]
    for space in spaces:
        agents.version(api, "v1", namespace=space)
    for space in spaces:
        assert caches.get(SERVICE, space, "agent-v1")["metadata"]["namespace"] == space
    assert calls(cluster, "watch").count("services") <= NAMESPACES_MAX + 1
    assert caches.get(SERVICE, spaces[0], "agent-v1") is not None
    eventually(lambda: len(caches._caches) == 1, 60, "single namespaces are not watched any more")


def test_a_controller_of_one_namespace_never_watches_the_cluster(cluster, api):
    caches = WorkloadCaches(FakeApi(cluster), "team0")
    try:
        for number in range(NAMESPACES_MAX + 2):
            agents.version(api, "v1", namespace=f"team{number}")
            assert caches.get(SERVICE, f"team{number}", "agent-v1") is not None
        assert all(place is not None for _, place in caches._caches)
    finally:
        caches.stop()


def test_what_may_not_be_watched_is_asked_for(cluster, api, caches):
    agents.version(api, "v1")
    cluster.allowed = lambda verb, resource, place: verb not in ("list", "watch")
    assert caches.get(DEPLOYMENT, "default", "agent-v1") is None and slices_of(caches, "v1") is None
    once = ReadOnce(FakeApi(cluster), caches)
    assert once.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 1


def test_a_turn_reads_what_no_cache_has_yet_and_hears_that_it_is_not_there(cluster, api, caches):
    assert caches.get(SERVICE, "default", "agent-v1") is None
    once = ReadOnce(FakeApi(cluster), caches)
    with pytest.raises(NotFound):
        once.get(SERVICE, "default", "agent-v1")
    agents.version(api, "v1")
    assert ReadOnce(FakeApi(cluster), caches).get(SERVICE, "default", "agent-v1")["metadata"]["name"] == "agent-v1"


def test_before_an_act_everything_is_read_from_the_server_itself(cluster, api, caches):
    agents.version(api, "v1")
    once = ReadOnce(FakeApi(cluster), caches)
    once.get(DEPLOYMENT, "default", "agent-v1")
    once.forget()
    cluster.calls.clear()
    once.get(DEPLOYMENT, "default", "agent-v1")
    once.get(DEPLOYMENT, "default", "agent-v1")
    once.list_all(ENDPOINT_SLICE, "default", labelSelector=f"{SERVICE_NAME}=agent-v1")
    assert collections.Counter(cluster.calls) == {
        ("get", "deployments", "apps"): 1,
        ("list", "endpointslices", "discovery.k8s.io"): 1,
    }


def test_deployments_with_a_word_are_told_without_a_call_and_those_of_others_are_not(cluster, api, caches):
    for name in ("agent", "other"):
        agents.version(api, "v1", name=name)
    agents.version(api, "v1", namespace="elsewhere")
    assert caches.get(DEPLOYMENT, "default", "agent-v1") is not None
    cluster.calls.clear()
    once = ReadOnce(FakeApi(cluster), caches)
    assert [obj["metadata"]["name"] for obj in once.mentioning(DEPLOYMENT, "default", "other")] == ["other-v1"]
    assert cluster.calls == []
    once.forget()
    assert {obj["metadata"]["name"] for obj in once.mentioning(DEPLOYMENT, "default", "other")} >= {"other-v1"}
    assert [call[:2] for call in cluster.calls] == [("list", "deployments")]


def test_only_workloads_are_cached(caches):
    assert CONFIG_MAP not in KINDS and caches.get(CONFIG_MAP, "default", "any") is None
