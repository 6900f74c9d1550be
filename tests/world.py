"""The small world, with policies written as YAML."""

from __future__ import annotations

import yaml

from rollout.model.api.policy import PolicySpec
from rollout.model.documents import policy_spec
from rollout.testing import EPOCH, Behaviour, FakeClock, World
from rollout.testing.world import EXAMPLE_POLICY
from rollout.testing.world import example_spec as spec

__all__ = [
    "BLUE_GREEN",
    "EPOCH",
    "POLICY",
    "Behaviour",
    "FakeClock",
    "World",
    "blue_green",
    "policy",
    "shares",
    "spec",
]

POLICY = yaml.safe_dump(EXAMPLE_POLICY, sort_keys=False)


def policy(text: str = POLICY, **changes: object) -> PolicySpec:
    """Read a policy from YAML, with whole sections replaced."""
    parsed, faults = policy_spec({**yaml.safe_load(text), **changes})
    assert parsed is not None and not faults, faults
    return parsed


BLUE_GREEN: dict[str, object] = {
    "preview": {"for": "5m"},
    "bake": {"for": "10m"},
    "standby": {"for": "1h"},
}


def blue_green(strategy: dict[str, object] | None = None, **changes: object) -> World:
    """Return a world whose policy previews and switches, with parts of the strategy and whole sections replaced."""
    raw = yaml.safe_load(POLICY)
    del raw["canary"]
    raw["blueGreen"] = {**BLUE_GREEN, **(strategy or {})}
    return World(policy(yaml.safe_dump(raw), **changes))


def shares(world: World) -> list[int]:
    """Return the candidate's weights in the order they were set, without repetitions."""
    weights: list[int] = []
    for weight in world.router.applied:
        if not weights or weights[-1] != weight.weight_bp:
            weights.append(weight.weight_bp)
    return weights
