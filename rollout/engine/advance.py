"""Gates before the candidate gets more traffic: those that people declare, and a human's word."""

from __future__ import annotations

from rollout.engine import checks
from rollout.engine.closed import Closed
from rollout.engine.draft import Draft
from rollout.model.status import Reason


def checks_agree_before_step(draft: Draft) -> Closed | None:
    """Ask what must agree before the step in force begins."""
    return checks.agree(draft, checks.BEFORE_STEP, f"{checks.BEFORE_STEP}-{draft.status.step + 1}")


def checks_agree_before_all(draft: Draft) -> Closed | None:
    """Ask what must agree before everything moves: the step after the last."""
    return checks.agree(draft, checks.BEFORE_STEP, f"{checks.BEFORE_STEP}-{draft.status.steps + 1}")


def checks_agree_before_traffic(draft: Draft) -> Closed | None:
    return checks.agree(draft, checks.BEFORE_TRAFFIC, checks.BEFORE_TRAFFIC)


def checks_agree_before_promotion(draft: Draft) -> Closed | None:
    return checks.agree(draft, checks.BEFORE_PROMOTION, checks.BEFORE_PROMOTION)


def step_is_approved(draft: Draft) -> Closed | None:
    if draft.step.approval != "required" or draft.status.step in draft.status.approved:
        return None
    return Closed(Reason.APPROVAL, f"{draft.shown_step} waits for an approval")


def switch_is_approved(draft: Draft) -> Closed | None:
    if not draft.way.switch_approval or draft.status.step in draft.status.approved:
        return None
    return Closed(Reason.APPROVAL, f"the switch to {draft.status.candidate_version} waits for an approval")


def window_is_open(draft: Draft) -> Closed | None:
    """Let no traffic move outside the release windows; a human may waive that, for one move."""
    return _window(draft, draft.status.step)


def window_is_open_for_all(draft: Draft) -> Closed | None:
    return _window(draft, draft.status.steps)


def _window(draft: Draft, move: int) -> Closed | None:
    calendar, status = draft.facts.calendar, draft.status
    if calendar.is_open or move in status.window_waived or status.undoing:
        return None
    return Closed(Reason.WINDOW_CLOSED, f"waits for a release window: {calendar.message}")


def spend_is_granted(draft: Draft) -> Closed | None:
    """Let the candidate cost what the policy grants until its promotion; the way back may cost what it will."""
    cap, status = draft.policy.spend_cap, draft.status
    if cap is None or status.undoing or status.spent - (status.spend_allowed or 0.0) <= cap.at_most:
        return None
    granted = f"the policy grants {cap.at_most:g} before promotion"
    return Closed(Reason.SPEND, f"{status.candidate_version} has cost {status.spent:g}; {granted}")
