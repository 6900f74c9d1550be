"""State contracts in a cluster: what a release needs of them, and what it says of them."""

from __future__ import annotations

import json

import pytest

from rollout.adapters.kubernetes.resources import CONFIG_MAP
from tests.controller.steps import released, settled
from tests.fakes.clustered import ClusterWorld


def state_contract(*nodes, **properties):
    state = {"type": "object", "properties": {"topic": {"type": "string"}, **properties}}
    return {
        "contractVersion": 1,
        "framework": {"name": "langgraph"},
        "state": {"kind": "pydantic", "writer": state, "reader": state},
        "nodes": {name: {"interruptCalls": []} for name in nodes},
    }


def with_contracts(world, **contracts):
    for version, contract in contracts.items():
        data = {"state-contract.json": json.dumps(contract)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"agent-{version}-state"}, "data": data}
        world.api.create(CONFIG_MAP, "default", body)


BY_MAP = {"contract": {"configMap": {"name": "$name-$version-state"}}}


def test_versions_whose_contracts_go_together_are_released_and_the_condition_says_so():
    with ClusterWorld(start=False, **BY_MAP) as world:
        with_contracts(world, v1=state_contract("plan"), v2=state_contract("plan"))
        world.start()
        released(world)
        compatible = world.condition("StateCompatible")
        assert (compatible["status"], compatible["reason"]) == ("True", "StateCompatible")
        assert list(json.loads(world.status()["contracts"]["v2"]["text"])["nodes"]) == ["plan"]


@pytest.mark.parametrize(
    ("candidate", "word"),
    [
        (state_contract("prepare"), "NODE_REMOVED /nodes/plan"),
        (state_contract("plan", extra={"type": "string"}), "KEY_ADDED"),
    ],
)
def test_a_version_that_would_lose_conversations_gets_no_traffic(candidate, word):
    """Requests are split one by one here, so that a key which the other version drops is lost on the next hop."""
    with ClusterWorld(start=False, **BY_MAP) as world:
        with_contracts(world, v1=state_contract("plan"), v2=candidate)
        world.start()
        world.want("v2")
        status = world.phase("RolledBack")
        assert status["reason"] == "StateIncompatible" and status["result"] == "stopped-by-a-gate"
        assert word in status["message"] and world.shares() == {"v1": 100, "v2": 0}
        assert world.condition("StateCompatible")["status"] == "False" or word == "KEY_ADDED"


def test_a_contract_that_is_missing_is_told_and_comes_in_time():
    with ClusterWorld(start=False, **BY_MAP) as world:
        with_contracts(world, v1=state_contract("plan"))
        world.start()
        world.want("v2")
        world.until(lambda status: status.get("reason") == "StateUnknown")
        assert "agent-v2-state" in world.status()["message"] and world.shares() == {"v1": 100, "v2": 0}
        with_contracts(world, v2=state_contract("plan"))
        settled(world, "v2")


def test_a_store_whose_secret_is_missing_is_told_and_nothing_moves():
    store = {"stateStore": {"postgres": {"secretKeyRef": {"name": "agent-db", "key": "url"}}}}
    with ClusterWorld(start=False, **BY_MAP, **store) as world:
        with_contracts(world, v1=state_contract("plan"), v2=state_contract("plan"))
        world.start()
        world.want("v2")
        world.until(lambda status: status.get("reason") == "StateUnknown")
        assert "default/agent-db does not exist" in world.status()["message"]
        assert "spec.stateStore.postgres" in world.status()["message"] and world.shares() == {"v1": 100, "v2": 0}
