"""Checks under way: asked for in the status first, carried out at the edge, their verdicts taken in each time.

A run is asked for at a point of the release (`before-traffic`, `before-step-2`, `before-promotion`) and has an id that
never changes, so that asking twice is asking once. No verdict in time is neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.transitions import OBSERVED
from rollout.model.status.release import CheckRun

CHECKS_KEPT = 40
"""Finished runs beyond this are forgotten, the oldest first."""


def ask(context: PlanContext, runs: Iterable[CheckRun]) -> None:
    """Write down that checks are asked for; whoever carries them out finds them there."""
    for run in runs:
        checks = context.release.checks
        running = [check for check in checks if check.state == "running"]
        done = [check for check in checks if check.state != "running"]
        context.update_release(checks=(*done[-CHECKS_KEPT:], *running, run))
        timeout_s = (run.deadline - run.asked_at).total_seconds()
        context.record("check", message=f"check {run.name} started ({run.point}), timeout {messages.span(timeout_s)}")


def follow_checks(context: PlanContext) -> None:
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
            context.record("check", message=f"check {run.name} ({run.point}): {verdict_of(after)}")
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


def verdict_of(run: CheckRun) -> str:
    """Return what came of a run, in words."""
    detail = f": {run.message}" if run.message else ""
    if run.state == "late":
        return f"no verdict within {messages.span((run.deadline - run.asked_at).total_seconds())}{detail}"
    return run.state + detail


def forget_late(context: PlanContext) -> None:
    """Let checks that gave no verdict in time be asked once more."""
    release = context.release
    kept = tuple(run for run in release.checks if run.state != "late")
    if kept != release.checks:
        context.update_release(checks=kept, check_tries=release.check_tries + 1)
