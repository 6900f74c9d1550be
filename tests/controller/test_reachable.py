"""Ready means reachable: ports, endpoints, and the addresses that webhooks are told."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import ENDPOINT_SLICE
from tests.controller.steps import settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.http import hook


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ports": [{"port": 9999}], "endpoints": None}, None),
        ({"ports": []}, "listens on its port 8000"),
        ({"ports": [{"name": "metrics", "port": 9090}]}, "listens on its port 8000"),
        ({"conditions": {"ready": True, "serving": False}}, "no ready endpoint"),
        ({"conditions": {"ready": True, "terminating": True}}, "no ready endpoint"),
    ],
)
def test_endpoints_are_ready_for_a_port(change, told):
    with ClusterWorld(start=False) as world:
        found = world.api.get(ENDPOINT_SLICE, "default", "agent-v2-x")
        if "conditions" in change:
            found["endpoints"] = [{**each, "conditions": change["conditions"]} for each in found["endpoints"]]
        else:
            found["ports"] = change["ports"]
        world.api.replace(ENDPOINT_SLICE, "default", "agent-v2-x", found)
        world.start()
        settled(world)
        world.want("v2")
        if told is None:
            settled(world, "v2")
        else:
            world.until(lambda status: told in status.get("message", ""))
            assert world.shares() == {"v1": 100, "v2": 0}


def test_a_webhook_is_told_where_both_services_answer():
    with hook(True) as (url, asked):
        made = agents.policy(gates={"webhooks": [{"name": "evals", "url": url}]})
        with ClusterWorld(policy=made) as world:
            settled(world)
            world.want("v2")
            settled(world, "v2")
    assert asked[0]["urls"] == {
        "stable": "http://agent-v1.default.svc:8000",
        "candidate": "http://agent-v2.default.svc:8000",
    }
