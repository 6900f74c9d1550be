"""What a gate answers: why it blocks, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.engine.context import PlanContext
from rollout.model.status.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a gate blocks."""

    reason: Reason
    message: str


Gate = Callable[[PlanContext], Blocked | None]


def first_blocked(gates: tuple[Gate, ...], context: PlanContext) -> Blocked | None:
    """Return the first answer of a gate that blocks."""
    for gate in gates:
        if (blocked := gate(context)) is not None:
            return blocked
    return None
