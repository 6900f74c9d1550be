"""Asking the gates, and doing what they need to open."""

from __future__ import annotations

from rollout.engine.check_runs import ask
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked, Gate, first_blocked


def blocked_by(gates: tuple[Gate, ...], context: PlanContext) -> Blocked | None:
    """Return why the first gate that blocks does so; the checks that it waits for are asked."""
    blocked = first_blocked(gates, context)
    if blocked is not None:
        ask(context, blocked.asks)
    return blocked
