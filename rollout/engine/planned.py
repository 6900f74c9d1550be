"""A plan: everything that follows from what was observed. Adapters translate it; they decide nothing."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.engine.effects import Effect
from rollout.model.status.conditions import Condition
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.status import Status


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from what was observed.

    Attributes:
        status: to be written before any effect, with its conditions.
        effects: in order, idempotent.
        decisions: for the full record.
        answers: to the commands that were carried out or refused.
        finished: the release that ended, if one did.
        requeue_after_s: when to come again, in seconds; None: when something changes.
    """

    status: Status
    effects: tuple[Effect, ...] = ()
    decisions: tuple[Decision, ...] = ()
    answers: tuple[CommandOutcome, ...] = ()
    finished: FinishedRelease | None = None
    conditions: tuple[Condition, ...] = ()
    requeue_after_s: float | None = None
