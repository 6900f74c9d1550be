"""The gate of capacity: has the candidate enough ready endpoints for the share that it is to get?"""

from __future__ import annotations

import math

from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.engine.messages import weight
from rollout.model.status.vocabulary import Reason
from rollout.model.units import FULL_BP


def step_has_capacity(context: PlanContext) -> Blocked | None:
    """Before a step's weight is set."""
    return _lacking(context, context.step.weight_bp, context.release.step - 1)


def all_has_capacity(context: PlanContext) -> Blocked | None:
    """Before everything goes to the candidate."""
    return _lacking(context, FULL_BP, context.release.step)


def _lacking(context: PlanContext, weight_bp: int, passed: int) -> Blocked | None:
    """Return why the candidate could not carry a share; nothing where nobody counts, or a human has said so.

    An autoscaler brings more only once there is load: of a version that one owns, only its least is asked for.

    Args:
        passed: the step that a human may have passed knowingly.
    """
    release, status = context.release, context.status
    stable = release.endpoints.get(status.stable_version or "")
    candidate = release.endpoints.get(status.candidate_version or "")
    if stable is None or candidate is None or release.undoing or passed in release.passed_by_human:
        return None
    wanted = stable.ready * weight_bp * context.policy.capacity.at_least_bp / FULL_BP**2
    needed = max(1, math.ceil(wanted - 1e-9))
    if candidate.autoscaler:
        needed = min(needed, max(1, candidate.least))
    if candidate.ready >= needed or not stable.ready:
        return None
    of = f"{needed} of the {stable.ready} that {status.stable_version} has, for {weight(weight_bp)}"
    owner = f"raise the least of its autoscaler {candidate.autoscaler}" if candidate.autoscaler else "scale it up"
    message = f"{status.candidate_version} has {candidate.ready} ready endpoints, and needs {of}: {owner}"
    return Blocked(Reason.CAPACITY, message)
