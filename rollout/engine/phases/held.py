"""Phases in which nothing moves by itself."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.transitions import Event
from rollout.model.status.vocabulary import HeldBy, Reason


def paused(context: PlanContext) -> None:
    if context.status.held_by is HeldBy.SPEC and not context.spec.paused:
        context.go(Event.RESUME, Reason.CHECKING, "spec.paused is false again")


def stay_frozen(_: PlanContext) -> None:
    """Nothing moves by itself: only abort or retry."""
