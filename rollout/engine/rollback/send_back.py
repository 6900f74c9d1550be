"""Going back by itself: what every automatic rollback passes through. `abort` does not: a human has decided."""

from __future__ import annotations

from typing import Any

from rollout.engine.context import PlanContext
from rollout.engine.state.point_of_no_return import no_return, rollback_harms
from rollout.engine.transitions import Event, allows
from rollout.model.status import HeldBy, Reason


def send_back(context: PlanContext, reason: Reason, message: str, **changes: Any) -> None:
    """Roll back; or, where that would end conversations that only the candidate can read, freeze and say so."""
    cost = no_return(context)
    if cost and rollback_harms(context):
        told = f"{message}. Not rolled back: {cost}"
        if allows(context.status.phase, Event.FREEZE):
            context.go(Event.FREEZE, reason, told)
        else:
            context.hold(HeldBy.POLICY, reason, told)
        return
    context.go(Event.ROLL_BACK, reason, f"{message}. It costs: {cost}" if cost else message, **changes)
