"""Routes as people write them, and a candidate that is made, on a real API server."""

from __future__ import annotations

import os

import pytest

from rollout.adapters.kubernetes.resources import DEPLOYMENT, ROLLOUT, SERVICE
from rollout.adapters.storage.command_annotations import ABORT
from tests.cluster.test_releases import LONG, WAIT_S, observing, settled
from tests.cluster.world import RealWorld
from tests.controller.test_shapes import swapped
from tests.fakes import agents
from tests.fakes.shapes import SHAPES
from tests.rollout_commands import command

pytestmark = pytest.mark.real
REAL = sorted(set(SHAPES) - {"a backend that is no Service"})  # its pods would need a node
IMAGE = "registry.example.com/agent:3.0@sha256:" + "c" * 64


@pytest.mark.parametrize("name", REAL)
def test_a_release_through_a_shape_moves_every_split_and_nothing_else(server, namespace, name):
    shape = SHAPES[name]
    with RealWorld(server, namespace, shape=shape) as world:
        settled(world)
        before = shape.specs(world.api, namespace)
        world.want("v2")
        assert settled(world, "v2")["result"] == "promoted"
        world.until(lambda _: not world.get()["metadata"].get("finalizers"), WAIT_S)
        expected = [
            swapped(shape, spec, [split for split in shape.splits if split[0] == each["metadata"]["name"]])
            for spec, each in zip(before, shape.objects, strict=True)
        ]
        assert shape.specs(world.api, namespace) == expected


@pytest.mark.parametrize(
    "name", ["several rules that split, none named", "one Service twice in a rule", "a delegate", "tcp"]
)
def test_an_abort_gives_a_shape_back_to_the_letter(server, namespace, name):
    shape = SHAPES[name]
    with RealWorld(server, namespace, shape=shape, policy=agents.policy(canary=LONG)) as world:
        settled(world)
        before = shape.specs(world.api, namespace)
        observing(world)
        world.api.merge(ROLLOUT, namespace, "agent", {"metadata": {"annotations": {ABORT: "back"}}})
        world.phase("RolledBack", timeout_s=WAIT_S)
        world.until(lambda _: not world.get()["metadata"].get("finalizers"), WAIT_S)
        assert shape.specs(world.api, namespace) == before


def test_a_candidate_is_made_woken_released_and_put_to_sleep(server, namespace, tmp_path):
    managed = [{"httpRoute": {"name": "agent", "rule": "chat", "manageBackends": True}}]
    policy = agents.policy(canary=LONG, drain={"deadline": "1s"})
    env = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "NO_COLOR": "1", "COLUMNS": "100"}
    start = ("start", "v3", "-n", namespace, "--image", IMAGE)
    with RealWorld(server, namespace, policy=policy, versions=("v1",), weights=(100,), routes=managed) as world:
        settled(world)
        world.api.merge(SERVICE, namespace, "agent-v1", {"spec": {"selector": {"app": "agent-v1"}}})
        shown = command(*start, "--dry-run", cwd=tmp_path, env=env)
        assert shown.returncode == 0, shown
        applied = server.kubectl("apply", "--dry-run=server", "-n", namespace, "-f", "-", text=shown.stdout)
        assert "agent-v3" in str(applied)
        done = command(*start, cwd=tmp_path, env=env)
        assert done.returncode == 0 and "made the Deployment and the Service of v3" in done.stderr, done
        agents.endpoints(world.api, "v3", namespace=namespace, address=world.address)
        world.phase("Observing", timeout_s=WAIT_S)
        assert world.api.get(DEPLOYMENT, namespace, "agent-v3")["spec"]["replicas"] == 1
        world.api.merge(ROLLOUT, namespace, "agent", {"metadata": {"annotations": {ABORT: "back"}}})
        world.phase("RolledBack", timeout_s=WAIT_S)
        world.until(lambda _: world.api.get(DEPLOYMENT, namespace, "agent-v3")["spec"]["replicas"] == 0, WAIT_S)
        assert list(world.shares()) == ["v1"], "the backend that was added is taken out"
