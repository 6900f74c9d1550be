"""Going back by itself: what every automatic rollback passes through. `abort` does not: a human has decided."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.engine.state.point_of_no_return import no_return, rollback_harms
from rollout.engine.transitions import Event, allows
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result


def send_back(context: PlanContext, reason: Reason, message: str, *, result: Result | None = None) -> None:
    """Roll back; or, where that would end conversations that only the candidate can read, freeze and say so.

    Args:
        result: how the release ends then, where it is not a plain rollback.
    """
    cost = no_return(context)
    if cost and rollback_harms(context):
        text = f"{message}. Not rolled back: {cost}"
        if allows(context.status.phase, Event.FREEZE):
            context.go(Event.FREEZE, reason, text)
        else:
            context.hold(HeldBy.POLICY, reason, text)
        return
    release = context.changed(result=result) if result else context.release
    context.go(Event.ROLL_BACK, reason, f"{message}. It costs: {cost}" if cost else message, release=release)


def stop_spending(context: PlanContext, blocked: Blocked) -> None:
    """The candidate has cost what it may: go back, or ask. Resuming grants the same sum once more."""
    cap = context.policy.spend_cap
    if cap is not None and cap.then == "rollback":
        send_back(context, blocked.reason, blocked.message)
    elif context.status.phase is not Phase.PAUSED:
        context.hold(HeldBy.POLICY, blocked.reason, blocked.message)
