"""Waiting at a closed gate, and for how long: nothing waits for ever for what does not come by itself."""

from __future__ import annotations

from rollout.engine import words
from rollout.engine.closed import Closed
from rollout.engine.draft import Draft
from rollout.engine.sending_back import send_back
from rollout.model.status import HeldBy, Phase, Reason, Result

TRAFFIC_TIMEOUT_S = 120.0
"""A weight that is not in force, or refuted by the requests, for this long needs a human."""

_OFF = (
    Reason.WEIGHT_PENDING, Reason.ROUTER_DOWN, Reason.TRAFFIC_NOT_SHIFTING, Reason.SAMPLE_RATIO,
    Reason.ROUTE_NOT_FOUND, Reason.ROUTE_REFUSED, Reason.BACKEND_NOT_FOUND, Reason.FORBIDDEN,
)  # fmt: skip
"""Reasons to wait that are the traffic's, not the candidate's."""


def wait_or_give_up(draft: Draft, closed: Closed) -> None:
    """Wait at a closed gate; ask a human, or go back, where waiting is of no use."""
    lasted_s = draft.since(draft.status.traffic.off_since)
    if closed.reason in _OFF and draft.status.traffic.off_since is not None and lasted_s >= TRAFFIC_TIMEOUT_S:
        message = f"{closed.message}, for {words.span(lasted_s)}"
        draft.hold(HeldBy.POLICY, Reason.TRAFFIC_NOT_SHIFTING, message)
    elif closed.reason is Reason.APPROVAL:
        draft.hold(HeldBy.APPROVAL, closed.reason, closed.message)
    elif closed.reason is Reason.CHECK_FAILED:
        send_back(draft, closed.reason, closed.message, result=Result.STOPPED)
    elif closed.reason is Reason.SPEND:
        stop_spending(draft, closed)
    elif closed.reason in (Reason.UNDECIDED, Reason.CHECK_LATE, Reason.RESPONSES_DIFFER):
        draft.hold(HeldBy.POLICY, closed.reason, closed.message)
    else:
        draft.wait(closed.reason, closed.message)


def stop_spending(draft: Draft, closed: Closed) -> None:
    """The candidate has cost what it may: go back, or ask. Resuming grants the same sum once more."""
    cap = draft.policy.spend_cap
    if cap is not None and cap.then == "rollback":
        send_back(draft, closed.reason, closed.message)
    elif draft.status.phase is not Phase.PAUSED:
        draft.hold(HeldBy.POLICY, closed.reason, closed.message)


def undecided(draft: Draft, closed: Closed, after_s: float) -> bool:
    """The time is over and the evidence is not in: do what the policy says. Return whether to advance all the same."""
    reaction = draft.policy.reactions.undecided
    message = f"undecided after {words.span(after_s)}: {closed.message}"
    if reaction == "rollback" and not draft.status.undoing:
        send_back(draft, Reason.UNDECIDED, message)
    elif reaction == "advance" and not draft.is_last_step:
        return True
    else:
        draft.hold(HeldBy.POLICY, Reason.UNDECIDED, message)
    return False
