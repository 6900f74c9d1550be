"""The bake: everything is on the candidate, and it is promoted or not."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.conversations.drain import begin_drain
from rollout.engine.gates import chains
from rollout.engine.gates.approvals import checks_agree_before_promotion
from rollout.engine.gates.readiness import weight_is_effective
from rollout.engine.phases.gating import blocked_by
from rollout.engine.phases.waiting import undecided, wait_or_give_up
from rollout.engine.transitions import Event
from rollout.model.agent_state import Axis
from rollout.model.status.conversations import Draining
from rollout.model.status.vocabulary import Reason, Result


def baking(context: PlanContext) -> None:
    release = context.release
    by_hand = release.steps in release.passed_by_human
    chain = chains.BAKE_AFTER_SWITCH if context.strategy.switches and context.strategy.proves else chains.BAKE
    if release.stable_passed_by:
        chain = chains.BAKE_PAST_STABLE
    blocked = blocked_by((weight_is_effective, checks_agree_before_promotion) if by_hand else chain, context)
    at_most_s = context.strategy.bake.at_most_s
    if blocked is None:
        _promote(context)
    elif blocked.reason is Reason.COLLECTING and at_most_s and context.watched_s >= at_most_s:
        undecided(context, blocked, at_most_s)
    else:
        wait_or_give_up(context, blocked)


def _promote(context: PlanContext) -> None:
    status, standby_s = context.status, context.strategy.standby_s
    new, old = status.candidate_version, status.stable_version
    context.go(
        Event.BAKED,
        Reason.PROMOTED,
        _promoted(context),
        stable_version=new,
        previous_version=old,
        draining=_drained(context),
        failed={version: tries for version, tries in status.failed.items() if version != new},
        release=context.changed(result=Result.PROMOTED, deadline=context.later(context.policy.drain.deadline_s)),
        standby_until=context.later(standby_s) if standby_s else None,
    )
    for warning in context.release.warnings:
        context.record("traffic", message=f"{new} is promoted. Warning: {warning}", reason=Reason.PROMOTED)


def _drained(context: PlanContext) -> dict[str, Draining]:
    """Return the versions that are drained: also stable, unless it was down and passed. Then it keeps nobody."""
    if context.release.stable_passed_by:
        return context.status.draining
    return begin_drain(context, context.status.stable_version or "", Axis.BACKWARD)


def _promoted(context: PlanContext) -> str:
    status, release = context.status, context.release
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    compared = [
        messages.compared(name, state.changed(frozen_bound=None), candidate, stable)
        for name, state in release.evidence.items()
        if state.all_c + state.all_s > 0
    ]
    how = f" by hand ({messages.listed(release.promoted_by)})" if release.passed_by_human else ""
    if release.stable_passed_by:
        how = f" past {stable}, which was down, by {release.stable_passed_by}"
    return f"{candidate} is promoted{how}. {'; '.join(compared)}".strip()
