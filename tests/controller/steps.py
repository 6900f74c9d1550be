"""Steps that tests of the controller share."""

from __future__ import annotations

import json
import random
import time
from contextlib import contextmanager

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT, COMMAND
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld

HOLDS = {"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}}
LONG = agents.policy(canary=HOLDS)


def settled(world, version="v1"):
    return world.until(lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable")


def released(world, version="v2"):
    settled(world)
    world.want(version)
    return settled(world, version)


def finalizers(world, name="agent"):
    return world.get(name)["metadata"].get("finalizers", [])


def observing(world):
    settled(world)
    world.want("v2")
    return world.phase("Observing")


def abort(world, text="back"):
    world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {ABORT: text}}})


def ask(world, verb, **more):
    told = {"id": f"{verb}-{random.random()}", "verb": verb, "actor": "ada", "reason": "because", **more}
    world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {COMMAND: json.dumps(told)}}})
    return world.until(lambda status: told["id"] in status.get("handled", ()))["lastCommand"]


def push(world, weights):
    operations = [
        {"op": "replace", "path": f"/spec/rules/1/backendRefs/{at}/weight", "value": weight}
        for at, weight in enumerate(weights)
    ]
    world.api.patch(HTTP_ROUTE, "default", "agent", operations)


def restart(world):
    world.controller.stop()
    return world.start()


def gone(world, name="agent", timeout_s=90):
    end = time.monotonic() + timeout_s
    while any(each["metadata"]["name"] == name for each in world.api.list_all(ROLLOUT, "default")[0]):
        assert time.monotonic() < end, world.status(name)
        time.sleep(0.05)


def with_beta(world_route):
    """A route without names: a header rule to v2 alone, then the rule that splits."""
    rules = world_route["spec"]["rules"]
    beta = {
        "matches": [{"headers": [{"name": "x-beta", "value": "1"}], "path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"name": "agent-v2", "port": 8000, "weight": 1}],
    }
    split = {key: value for key, value in rules[1].items() if key != "name"}
    world_route["spec"]["rules"] = [beta, split]
    return world_route


@contextmanager
def unnamed(policy=None, **spec):
    with ClusterWorld(policy=policy, start=False, routes=[{"httpRoute": {"name": "agent", **spec}}]) as world:
        found = world.api.get(HTTP_ROUTE, "default", "agent")
        world.api.merge(HTTP_ROUTE, "default", "agent", {"spec": {"rules": with_beta(found)["spec"]["rules"]}})
        world.start()
        yield world


def rules(world):
    return world.api.get(HTTP_ROUTE, "default", "agent")["spec"]["rules"]
