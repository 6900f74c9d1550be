"""The journal of a rollout is what the Rollout owns: no other ConfigMap is believed, or written."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import CONFIG_MAP, ROLLOUT
from rollout.adapters.storage import history_configmap
from rollout.adapters.storage.kubernetes import KubernetesStore
from rollout.errors import Rejected
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.world import World


@pytest.fixture
def decisions():
    world = World()
    world.run(60)
    return world.status.decisions


@pytest.fixture
def api():
    return FakeApi(FakeCluster())


@pytest.fixture
def owner(api):
    return api.create(ROLLOUT, "default", agents.rollout("http://p:9090"))


def test_what_was_written_is_read_back(api, owner, decisions):
    history_configmap.write(api, owner, decisions, None)
    assert history_configmap.read(api, owner)[0] == list(decisions)
    told = KubernetesStore(api, "default").decisions("agent", samples=False, limit=1000)
    assert [decision.at for decision in told] == [decision.at for decision in decisions]


@pytest.mark.parametrize("owners", ["nobody", "a Rollout of the same name that is gone"])
def test_a_journal_that_the_rollout_does_not_own_is_neither_believed_nor_written(api, owner, decisions, owners):
    history_configmap.write(api, owner, decisions, None)
    reference = api.get(CONFIG_MAP, "default", "agent-rollout")["metadata"]["ownerReferences"][0]
    forged = [] if owners == "nobody" else [{**reference, "uid": "another"}]
    api.merge(CONFIG_MAP, "default", "agent-rollout", {"metadata": {"ownerReferences": forged}})
    assert history_configmap.read(api, owner) == ([], [])
    assert KubernetesStore(api, "default").releases("agent", 10) == []
    with pytest.raises(Rejected, match="belongs to somebody else"):
        history_configmap.write(api, owner, decisions, None)


def test_of_a_rollout_that_is_not_there_nothing_is_told(api):
    assert KubernetesStore(api, "default").decisions("agent", samples=False, limit=10) == []
    assert KubernetesStore(api, "default").releases("agent", 10) == []
