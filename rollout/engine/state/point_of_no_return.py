"""The point of no return: since when a rollback does harm, and to how many."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.conversations.pins import stays_on_candidate
from rollout.engine.state.required import gate_of
from rollout.model.agent_state import Axis, Compatibility, Severity


def note_no_return(context: PlanContext, state: Compatibility) -> None:
    """Notice that the candidate has written what stable cannot read: from then on a rollback does harm."""
    release, census = context.release, state.census
    served = release.traffic.wanted_bp > 0 and release.traffic.applied_at is not None
    known = census is not None and not census.problem and release.started_at and census.at >= release.started_at
    affected, since = state.affected, state.no_return_at
    if known and census is not None and census.forward and (served or since is not None):
        affected, since = census.forward, since or context.now
    elif known and census is not None and census.complete and since is not None and affected is None:
        since = None  # it was feared while nobody could count; nobody is affected
    elif not known and served and _is_one_way(state):
        since = since or context.now
    if (affected, since) == (state.affected, state.no_return_at):
        return
    context.update_release(state=state.model_copy(update={"affected": affected, "no_return_at": since}))
    if since is not None and state.no_return_at is None:
        context.record("check", message=no_return(context))


def _is_one_way(state: Compatibility) -> bool:
    """Whether stable is known not to read what the candidate writes, waived or not."""
    findings = state.verdict.findings if state.verdict else ()
    return any(finding.direction is Axis.FORWARD and finding.severity is Severity.BREAK for finding in findings)


def no_return(context: PlanContext) -> str:
    """Say that, and for how many conversations, a rollback would do harm; an empty text where it would not."""
    state, status = context.release.state, context.status
    if state is None or state.no_return_at is None:
        return ""
    many = "their number is not known" if state.affected is None else messages.conversations(state.affected)
    if context.spec.conversations.pin is not None and stays_on_candidate(context):
        return f"{status.stable_version} cannot read what {status.candidate_version} wrote: it stays there ({many})"
    return f"point of no return: {status.stable_version} cannot read what {status.candidate_version} wrote ({many})"


def rollback_harms(context: PlanContext) -> bool:
    """Whether going back by itself is barred: somebody would lose their conversation."""
    gate = gate_of(context)
    past = context.release.state is not None and context.release.state.no_return_at is not None
    if past and context.spec.conversations.pin is not None and stays_on_candidate(context):
        return False  # they stay where they are
    return past and gate is not None and gate.past_no_return == "freeze"
