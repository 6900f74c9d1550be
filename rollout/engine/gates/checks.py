"""Gates of checks by others: have all agreed that are to be asked at this point of the release?"""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.check_runs import verdict_of
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.model.status.release import CheckRun
from rollout.model.status.vocabulary import Reason

BEFORE_TRAFFIC = "before-traffic"
BEFORE_STEP = "before-step"
BEFORE_PROMOTION = "before-promotion"


def agree(context: PlanContext, when: str, point: str) -> Blocked | None:
    """Return why the checks of a point block, with those that are to be asked; None once all agree."""
    if context.release.undoing:
        return None  # who goes back has decided, and the version was checked when it was released
    asked = {run.name: run for run in context.release.checks if run.point == point}
    new = {
        check.name: _run(context, check.name, point, check.timeout_s)
        for check in context.policy.gates.checks(when)
        if check.name not in asked
    }
    runs, asks = (asked | new).values(), tuple(new.values())
    for state, reason in (("failed", Reason.CHECK_FAILED), ("late", Reason.CHECK_LATE)):
        if ended := [run for run in runs if run.state == state]:
            named = "; ".join(f"{run.name}: {verdict_of(run)}" for run in ended)
            what = "a check failed" if state == "failed" else "a check gave no verdict in time"
            return Blocked(reason, f"{what} ({point}). {named}", asks)
    if running := [run for run in runs if run.state == "running"]:
        named = "; ".join(f"{run.name}{f' ({run.message})' if run.message else ''}" for run in running)
        left_s = max((run.deadline - context.now).total_seconds() for run in running)
        return Blocked(Reason.CHECK_RUNNING, f"waits for checks, {messages.span(left_s)} at most: {named}", asks)
    return None


def _run(context: PlanContext, name: str, point: str, timeout_s: float) -> CheckRun:
    release = context.release
    began = int(release.started_at.timestamp()) if release.started_at else 0
    return CheckRun(
        id=f"{context.name}/{release.candidate_version}/{began}/{point}/{name}/{release.check_tries}",
        name=name,
        point=point,
        asked_at=context.now,
        deadline=context.later(timeout_s),
    )
