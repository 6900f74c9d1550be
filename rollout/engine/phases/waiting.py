"""Waiting at a gate that blocks, and for how long: nothing waits for ever for what does not come by itself."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.engine.rollback.send_back import send_back, stop_spending
from rollout.model.status.vocabulary import HeldBy, Reason, Result

TRAFFIC_TIMEOUT_S = 120.0
"""A weight that is pending, or refuted by the requests, for this long needs a human."""

_OFF = (
    Reason.WEIGHT_PENDING, Reason.ROUTER_DOWN, Reason.TRAFFIC_NOT_SHIFTING, Reason.SAMPLE_RATIO,
    Reason.ROUTE_NOT_FOUND, Reason.ROUTE_REFUSED, Reason.BACKEND_NOT_FOUND, Reason.FORBIDDEN,
)  # fmt: skip
"""Reasons to wait that are the traffic's, not the candidate's."""


def wait_or_give_up(context: PlanContext, blocked: Blocked) -> None:
    """Wait at a gate that blocks; ask a human, or go back, where waiting is of no use."""
    lasted_s = context.since(context.release.traffic.off_since)
    if blocked.reason in _OFF and context.release.traffic.off_since is not None and lasted_s >= TRAFFIC_TIMEOUT_S:
        message = f"{blocked.message}, for {messages.span(lasted_s)}"
        context.hold(HeldBy.POLICY, Reason.TRAFFIC_NOT_SHIFTING, message)
    elif blocked.reason is Reason.APPROVAL:
        context.hold(HeldBy.APPROVAL, blocked.reason, blocked.message)
    elif blocked.reason is Reason.CHECK_FAILED:
        send_back(context, blocked.reason, blocked.message, result=Result.STOPPED)
    elif blocked.reason is Reason.SPEND:
        stop_spending(context, blocked)
    elif blocked.reason in (Reason.UNDECIDED, Reason.CHECK_LATE, Reason.RESPONSES_DIFFER):
        context.hold(HeldBy.POLICY, blocked.reason, blocked.message)
    else:
        context.wait(blocked.reason, blocked.message)


def undecided(context: PlanContext, blocked: Blocked, after_s: float) -> bool:
    """The time is over and the evidence is not in: do what the policy says. Return whether to advance all the same."""
    reaction = context.policy.reactions.undecided
    message = f"undecided after {messages.span(after_s)}: {blocked.message}"
    if reaction == "rollback" and not context.release.undoing:
        send_back(context, Reason.UNDECIDED, message)
    elif reaction == "advance" and not context.is_last_step:
        return True
    else:
        context.hold(HeldBy.POLICY, Reason.UNDECIDED, message)
    return False
