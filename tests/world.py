"""The small world, with policies written as YAML."""

from __future__ import annotations

import yaml

from rollout.model.api.policy import PolicySpec
from rollout.model.documents import policy_spec
from rollout.testing import EPOCH, Behaviour, FakeClock, World
from rollout.testing.world import EXAMPLE_POLICY
from rollout.testing.world import example_spec as spec

__all__ = ["EPOCH", "POLICY", "Behaviour", "FakeClock", "World", "policy", "spec"]

POLICY = yaml.safe_dump(EXAMPLE_POLICY, sort_keys=False)


def policy(text: str = POLICY, **changes: object) -> PolicySpec:
    """Read a policy from YAML, with whole sections replaced."""
    parsed, faults = policy_spec({**yaml.safe_load(text), **changes})
    assert parsed is not None and not faults, faults
    return parsed
