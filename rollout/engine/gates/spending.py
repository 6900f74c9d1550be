"""The gate of cost: has the candidate cost more than the policy grants?"""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.model.status.vocabulary import Reason


def spend_is_granted(context: PlanContext) -> Blocked | None:
    """Let the candidate cost what the policy grants until its promotion; the way back may cost what it will."""
    cap, status = context.policy.spend_cap, context.status
    if (
        cap is None
        or status.latest.undoing
        or status.latest.spent - (status.latest.spend_allowed or 0.0) <= cap.at_most
    ):
        return None
    granted = f"the policy grants {cap.at_most:g} before promotion"
    return Blocked(Reason.SPEND, f"{status.candidate_version} has cost {status.latest.spent:g}; {granted}")
