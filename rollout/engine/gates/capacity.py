"""The gate of capacity: has the candidate enough ready endpoints for the share that it is to get?"""

from __future__ import annotations

from rollout.engine.capacity import need
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.engine.messages import weight
from rollout.model.status.vocabulary import Reason
from rollout.model.units import FULL_BP


def step_has_capacity(context: PlanContext) -> Blocked | None:
    """Before a step's weight is set."""
    return _lacking(context, context.step.weight_bp, context.release.step)


def all_has_capacity(context: PlanContext) -> Blocked | None:
    """Before everything goes to the candidate."""
    return _lacking(context, FULL_BP, context.release.steps)


def _lacking(context: PlanContext, weight_bp: int, move: int) -> Blocked | None:
    """Return why the candidate could not carry a share. The way back, and a human's word, wait for nothing.

    An autoscaler brings more only once there is load: of a version that one owns, what it keeps at least is enough.
    """
    release, status = context.release, context.status
    step = need(context, status.candidate_version or "", status.stable_version or "", weight_bp)
    if step is None or step.is_met or step.grows or release.undoing or move in release.capacity_waived:
        return None
    what = (
        f"wait for the minReplicas of its autoscaler {step.autoscaler}, {step.min_replicas}"
        if step.autoscaler
        else "scale it up"
    )
    smaller = f", declare a smaller step (it has enough for {weight(step.carries_bp)})" if step.carries_bp else ""
    return Blocked(Reason.CAPACITY, f"{step}: {what}{smaller}, or let it pass: rollout approve")
