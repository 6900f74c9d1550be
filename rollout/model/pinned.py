"""What a release has pinned at its start: the policy that stays effective, whatever is declared meanwhile."""

import json
from functools import lru_cache

from rollout.model.api.policy import PolicySpec
from rollout.model.parsing import prune
from rollout.model.status.status import Status


def effective_policy(status: Status, declared: PolicySpec) -> PolicySpec:
    """Return the policy to go by: the pinned one, once a release has begun."""
    return pinned_policy(status) or declared


def pinned_policy(status: Status) -> PolicySpec | None:
    """Return the policy of the release under way, or of the last one; None where there was none."""
    return read_policy(status.latest.policy.text) if status.latest.policy else None


@lru_cache(maxsize=512)
def read_policy(text: str) -> PolicySpec:
    """Return a policy from its canonical text, maybe by a newer release of this tool. Cached by its text."""
    return PolicySpec.model_validate(prune(PolicySpec, json.loads(text)))
