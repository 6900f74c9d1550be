"""Workers, which no route leads to: they are named before any traffic, and may go by the role of their version."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import CONFIG_MAP, DEPLOYMENT, SERVICE
from rollout.agent import Role, role_of
from tests.controller.steps import LONG, abort, observing, settled
from tests.controller.test_pins import open_conversations, pinned
from tests.fakes.clustered import ClusterWorld


def roles(world):
    return world.api.get(CONFIG_MAP, "default", "agent-roles")["data"]


def told(world, **expected):
    """Wait until the status says these roles; the ConfigMap has them then."""
    world.until(lambda status: status.get("roles") == expected)
    assert roles(world) == expected


def worker(world, name, labels, replicas=2):
    spec = {"replicas": replicas, "template": {"metadata": {"labels": labels}, "spec": {"containers": []}}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    world.api.create(DEPLOYMENT, "default", body)


def test_the_roles_of_versions_stand_in_a_config_map_that_the_rollout_owns_and_in_the_status():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        told(world, v1="stable")
        observing(world)
        told(world, v1="stable", v2="candidate")
        abort(world)
        world.phase("RolledBack")
        told(world, v1="stable")
        (owner,) = world.api.get(CONFIG_MAP, "default", "agent-roles")["metadata"]["ownerReferences"]
        assert owner["uid"] == world.get()["metadata"]["uid"]


def test_a_version_that_keeps_its_conversations_is_draining_until_none_is_open():
    with pinned() as world:
        open_conversations(world, v1=2, v2=0)
        settled(world)
        world.want("v2")
        settled(world, "v2")
        told(world, v1="draining", v2="stable")
        open_conversations(world, v1=0)
        told(world, v2="stable")


def test_a_config_map_of_somebody_else_is_left_alone_and_the_release_goes_on():
    with ClusterWorld(policy=LONG, start=False) as world:
        theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "agent-roles"}, "data": {"v1": "boss"}}
        world.api.create(CONFIG_MAP, "default", theirs)
        world.start()
        observing(world)
        assert roles(world) == {"v1": "boss"} and not world.get()["status"].get("roles")


def test_roles_that_cannot_be_written_for_a_while_are_written_later():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        told(world, v1="stable")
        world.cluster.allowed = lambda verb, resource, _: verb == "get" or resource.plural != "configmaps"
        world.want("v2")
        world.phase("Observing")
        assert roles(world) == {"v1": "stable"}
        world.cluster.allowed = lambda *_: True
        told(world, v1="stable", v2="candidate")


def test_a_deployment_of_the_candidate_without_a_service_is_named_before_any_traffic():
    with ClusterWorld(policy=LONG) as world:
        worker(world, "agent-worker-v2", {"app": "agent-worker"})
        worker(world, "agent-jobs", {"app.kubernetes.io/part-of": "agent", "version": "v2"})
        worker(world, "agent-asleep-v2", {"app": "agent-asleep"}, replicas=0)
        worker(world, "agent-worker-v1", {"app": "agent-worker"})
        worker(world, "billing-worker-v2", {"app": "billing-worker"})
        worker(world, "agent-web-v2", {"app": "agent-web", "version": "v2"})
        service = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "agent-web"}, "ports": [{"port": 80}]}}
        world.api.create(SERVICE, "default", {"apiVersion": "v1", "kind": "Service", **service})
        status = observing(world)
        assert status["workers"] == ["agent-jobs", "agent-worker-v2"]
        notes = [note for _, _, note in world.events() if "at any weight" in note]
        assert len(notes) == 2 and "scale it to 0 until v2 is promoted" in notes[0]


@pytest.mark.parametrize(
    ("text", "role"), [("stable\n", Role.STABLE), ("draining", Role.DRAINING), ("boss", Role.NONE)]
)
def test_a_worker_reads_its_role_where_the_config_map_is_mounted(text, role, tmp_path):
    (tmp_path / "1.4.2").write_text(text)
    assert role_of("1.4.2", tmp_path) is role and role_of("v9", tmp_path) is Role.NONE


def test_who_may_not_list_deployments_releases_all_the_same():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.cluster.allowed = lambda verb, resource, _: (verb, resource.plural) != ("list", "deployments")
        status = observing(world)
        assert not status.get("workers")
