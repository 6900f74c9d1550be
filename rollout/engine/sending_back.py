"""Going back by itself: what every automatic rollback passes through. `abort` does not: a human has decided."""

from __future__ import annotations

from typing import Any

from rollout.engine.draft import Draft
from rollout.engine.no_return import no_return, rollback_harms
from rollout.engine.phases import Event, allows
from rollout.model.status import HeldBy, Reason


def send_back(draft: Draft, reason: Reason, message: str, **changes: Any) -> None:
    """Roll back; or, where that would end conversations that only the candidate can read, freeze and say so."""
    cost = no_return(draft)
    if cost and rollback_harms(draft):
        told = f"{message}. Not rolled back: {cost}"
        if allows(draft.status.phase, Event.FREEZE):
            draft.go(Event.FREEZE, reason, told)
        else:
            draft.hold(HeldBy.POLICY, reason, told)
        return
    draft.go(Event.ROLL_BACK, reason, f"{message}. It costs: {cost}" if cost else message, **changes)
