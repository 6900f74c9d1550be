"""What a turn reads it reads once, and anew before it acts."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.read_once import ReadOnce
from rollout.adapters.kubernetes.resources import DEPLOYMENT, ENDPOINT_SLICE, POD, SERVICE
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.errors import NotFound
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.ports.adapters import NAMING


@pytest.fixture
def cluster():
    made = FakeCluster()
    for version in ("v1", "v2"):
        agents.version(FakeApi(made), version)
    made.calls.clear()
    return made


@pytest.fixture
def api(cluster):
    return ReadOnce(FakeApi(cluster))


def test_what_was_read_is_not_asked_for_again(cluster, api):
    for _ in range(3):
        assert api.get(SERVICE, "default", "agent-v1")["metadata"]["name"] == "agent-v1"
        assert api.list_all(ENDPOINT_SLICE, "default", labelSelector="kubernetes.io/service-name=agent-v1")[0]
    assert len(cluster.calls) == 2


def test_another_name_and_another_selector_are_other_questions(cluster, api):
    for version in ("v1", "v2"):
        api.get(SERVICE, "default", f"agent-{version}")
        api.list_all(ENDPOINT_SLICE, "default", labelSelector=f"kubernetes.io/service-name=agent-{version}")
    assert len(cluster.calls) == 4


def test_what_is_not_there_is_asked_for_once_too(cluster, api):
    for _ in range(3):
        with pytest.raises(NotFound):
            api.get(DEPLOYMENT, "default", "agent-v9")
    assert len(cluster.calls) == 1


def test_other_kinds_are_asked_for_each_time(cluster, api):
    for _ in range(3):
        api.list_all(POD, "default")
    assert len(cluster.calls) == 3


def test_after_an_act_everything_is_read_anew_also_where_the_act_failed(cluster, api):
    before = api.get(DEPLOYMENT, "default", "agent-v1")
    api.merge(DEPLOYMENT, "default", "agent-v1", {"spec": {"replicas": 3}})
    assert api.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 3 != before["spec"]["replicas"]
    FakeApi(cluster).merge(DEPLOYMENT, "default", "agent-v1", {"spec": {"replicas": 4}})
    with pytest.raises(NotFound):
        api.merge(DEPLOYMENT, "default", "agent-v9", {"spec": {}})
    assert api.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 4


def test_a_version_is_scaled_by_what_its_deployment_is_then(cluster, api):
    """Somebody changes it between the questions of a turn and what follows from them."""
    other = FakeApi(cluster)
    other.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 0}})
    workloads = ServiceWorkloads(api, NAMING, ("HTTPRoute",), refresh=api.forget)
    assert workloads.asleep(("v1", "v2")) == {"v2"}
    other.merge(DEPLOYMENT, "default", "agent-v1", {"spec": {"replicas": 5}})
    workloads.scale_up("v2", "v1")
    assert other.get(DEPLOYMENT, "default", "agent-v2")["spec"]["replicas"] == 5


def test_the_questions_of_a_turn_read_each_deployment_once(cluster, api):
    workloads = ServiceWorkloads(api, NAMING, ("HTTPRoute",), identity=lambda _: {"image": "a"}, refresh=api.forget)
    both = ("v1", "v2")
    workloads.known(both)
    assert workloads.ready(both) == {"v1": "", "v2": ""}
    workloads.asleep(both)
    workloads.identities(both)
    workloads.endpoints(both)
    assert len(cluster.calls) == 6, cluster.calls  # of each version its Service, its endpoints, its Deployment
