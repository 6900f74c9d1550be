"""What a gate answers: why it blocks, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.engine.context import PlanContext
from rollout.model.status.release import CheckRun
from rollout.model.status.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a gate blocks.

    Attributes:
        asks: the checks that are to be asked for, so that it may open.
    """

    reason: Reason
    message: str
    asks: tuple[CheckRun, ...] = ()


Gate = Callable[[PlanContext], Blocked | None]
"""A condition that must hold to advance. It is pure: it returns what it needs, and the phase does it."""


def first_blocked(gates: tuple[Gate, ...], context: PlanContext) -> Blocked | None:
    """Return the first answer of a gate that blocks."""
    for gate in gates:
        if (blocked := gate(context)) is not None:
            return blocked
    return None
