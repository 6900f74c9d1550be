"""Checks by others: asked for in the status first, carried out at the edge, their verdicts taken in at each look.

A run is asked for at a point of the rollout (`before-traffic`, `before-step-2`, `before-promotion`) and has an id that
never changes, so that asking twice is asking once. No verdict in time is neither yes nor no.
"""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.engine.transitions import OBSERVED
from rollout.model.status.release import CheckRun
from rollout.model.status.vocabulary import Reason

CHECKS_KEPT = 40
"""Finished runs beyond this are forgotten, the oldest first."""

BEFORE_TRAFFIC = "before-traffic"
BEFORE_STEP = "before-step"
BEFORE_PROMOTION = "before-promotion"


def follow(context: PlanContext) -> None:
    """Take in what is known of the checks under way; where nothing is watched any more they are given up."""
    runs = []
    if context.status.phase not in OBSERVED:
        kept = tuple(run for run in context.release.checks if run.state != "running")
        if kept != context.release.checks:
            context.update_release(checks=kept)
        return
    for run in context.release.checks:
        after = _followed(context, run) if run.state == "running" else run
        if after.state != run.state:
            context.record("check", message=f"check {run.name} ({run.point}): {_told(after)}")
        runs.append(after)
    if tuple(runs) != context.release.checks:
        context.update_release(checks=tuple(runs))


def _followed(context: PlanContext, run: CheckRun) -> CheckRun:
    fact = context.facts.checks.get(run.id)
    if fact is not None and fact.passed is not None:
        return run.model_copy(update={"state": "passed" if fact.passed else "failed", "message": fact.message})
    changes = {} if fact is None else {"where": fact.where or run.where, "message": fact.message}
    if context.now >= run.deadline:
        changes["state"] = "late"
    return run.model_copy(update=changes)


def _told(run: CheckRun) -> str:
    said = f": {run.message}" if run.message else ""
    if run.state == "late":
        return f"no verdict within {messages.span((run.deadline - run.asked_at).total_seconds())}{said}"
    return ("yes" if run.state == "passed" else "no") + said


def agree(context: PlanContext, when: str, point: str) -> Blocked | None:
    """Ask for the checks of a point that were not asked for yet; return why it blocks, None once all agree."""
    if context.release.undoing:
        return None  # who goes back has decided, and the version was checked when it was released
    asked = {run.name: run for run in context.release.checks if run.point == point}
    for check in context.policy.gates.checks(when):
        if check.name not in asked:
            asked[check.name] = _ask(context, check.name, point, check.timeout_s)
    for state, reason in (("failed", Reason.CHECK_FAILED), ("late", Reason.CHECK_LATE)):
        if found := [run for run in asked.values() if run.state == state]:
            told = "; ".join(f"{run.name}: {_told(run)}" for run in found)
            said = "a check said no" if state == "failed" else "a check gave no verdict, neither yes nor no"
            return Blocked(reason, f"{said} ({point}). {told}")
    if running := [run for run in asked.values() if run.state == "running"]:
        told = "; ".join(f"{run.name}{f' ({run.message})' if run.message else ''}" for run in running)
        left_s = max((run.deadline - context.now).total_seconds() for run in running)
        return Blocked(Reason.CHECK_RUNNING, f"waits for checks, {messages.span(left_s)} at most: {told}")
    return None


def _ask(context: PlanContext, name: str, point: str, timeout_s: float) -> CheckRun:
    status, release = context.status, context.release
    began = int(release.started_at.timestamp()) if release.started_at else 0
    tries = release.check_tries
    run = CheckRun(
        id=f"{context.name}/{status.candidate_version}/{began}/{point}/{name}/{tries}",
        name=name,
        point=point,
        asked_at=context.now,
        deadline=context.later(timeout_s),
    )
    running = [each for each in release.checks if each.state == "running"]
    done = [each for each in release.checks if each.state != "running"]
    context.update_release(checks=(*done[-CHECKS_KEPT:], *running, run))
    context.record("check", message=f"check {name} is asked ({point}), {messages.span(timeout_s)} at most")
    return run


def forget_late(context: PlanContext) -> None:
    """Let checks that gave no verdict in time be asked once more."""
    release = context.release
    kept = tuple(run for run in release.checks if run.state != "late")
    if kept != release.checks:
        context.update_release(checks=kept, check_tries=release.check_tries + 1)
