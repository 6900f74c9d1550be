"""Gates before the candidate gets more traffic: those that people declare, and a human's word."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.gates import checks
from rollout.engine.gates.gate import Blocked
from rollout.model.status.vocabulary import Reason


def checks_agree_before_step(context: PlanContext) -> Blocked | None:
    """Ask what must agree before the current step begins."""
    return checks.agree(context, checks.BEFORE_STEP, f"{checks.BEFORE_STEP}-{context.release.step + 1}")


def checks_agree_before_all(context: PlanContext) -> Blocked | None:
    """Ask what must agree before everything moves: the step after the last."""
    return checks.agree(context, checks.BEFORE_STEP, f"{checks.BEFORE_STEP}-{context.release.steps + 1}")


def checks_agree_before_traffic(context: PlanContext) -> Blocked | None:
    return checks.agree(context, checks.BEFORE_TRAFFIC, checks.BEFORE_TRAFFIC)


def checks_agree_before_promotion(context: PlanContext) -> Blocked | None:
    return checks.agree(context, checks.BEFORE_PROMOTION, checks.BEFORE_PROMOTION)


def step_is_approved(context: PlanContext) -> Blocked | None:
    if context.step.approval != "required" or context.release.step in context.release.approved:
        return None
    return Blocked(Reason.APPROVAL, f"{context.shown_step} waits for an approval")


def switch_is_approved(context: PlanContext) -> Blocked | None:
    if not context.strategy.switch_approval or context.release.step in context.release.approved:
        return None
    return Blocked(Reason.APPROVAL, f"the switch to {context.status.candidate_version} waits for an approval")


def window_is_open(context: PlanContext) -> Blocked | None:
    """Let no traffic move outside the release windows; a human may waive that, for one move."""
    return _window(context, context.release.step)


def window_is_open_for_all(context: PlanContext) -> Blocked | None:
    return _window(context, context.release.steps)


def _window(context: PlanContext, move: int) -> Blocked | None:
    calendar, status = context.facts.calendar, context.status
    if calendar.is_open or move in status.latest.window_waived or status.latest.undoing:
        return None
    return Blocked(Reason.WINDOW_CLOSED, f"waits for a release window: {calendar.message}")
