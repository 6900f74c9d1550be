"""Preflight: what is verified before any traffic moves."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.analysis.lifecycle import frozen
from rollout.engine.context import PlanContext
from rollout.engine.conversations.drain import begin_sleep
from rollout.engine.eligibility import DOWN_SAMPLES
from rollout.engine.gates import chains
from rollout.engine.gates.approvals import checks_agree_before_traffic
from rollout.engine.gates.gate import Blocked
from rollout.engine.phases.gating import blocked_by
from rollout.engine.start import PREFLIGHT_DEADLINE_S, ask_weight
from rollout.engine.transitions import Event
from rollout.model.status.vocabulary import HeldBy, Reason, Result
from rollout.model.units import FULL_BP


def preflight(context: PlanContext) -> None:
    sampled = context.facts.round is not None
    if sampled:
        _stable_is_back(context)
    blocked = blocked_by(chains.PREFLIGHT if sampled else chains.PREFLIGHT_BETWEEN_SAMPLES, context)
    found_by_sampling = (Reason.STABLE_DOWN, Reason.NOT_READY, Reason.WAKING_UP)
    stands = blocked is None or (blocked.reason is Reason.STATE_UNKNOWN and context.status.reason in found_by_sampling)
    if stands and not sampled:
        return  # what the last sample found still stands
    if blocked is not None and blocked.reason is Reason.STATE_INCOMPATIBLE:
        _refuse(context, blocked.reason, blocked.message)  # no waiting mends that
        return
    if blocked is None:
        context.update_release(
            deadline=context.later(PREFLIGHT_DEADLINE_S)
        )  # others' checks have time limits of their own
        _checked(context)
    elif blocked.reason is Reason.STABLE_DOWN:
        _stable_is_down(context, blocked)
    elif sampled and context.release.deadline is not None and context.now >= context.release.deadline:
        message = f"preflight did not pass within {messages.span(PREFLIGHT_DEADLINE_S)}: {blocked.message}"
        _refuse(context, Reason.PREFLIGHT_FAILED, message)
    else:
        context.wait(blocked.reason, blocked.message)


def _refuse(context: PlanContext, reason: Reason, message: str) -> None:
    """Stop before any traffic; a candidate that was scaled up to be checked goes back to sleep."""
    draining = begin_sleep(context, context.status.draining)
    context.go(Event.REFUSED, reason, message, release=context.changed(result=Result.STOPPED), draining=draining)


def _stable_is_back(context: PlanContext) -> None:
    """Take it back that stable may be passed, once it answers again: then the release goes its usual way."""
    stable = context.status.stable_version or ""
    if stable in context.facts.asleep or context.facts.ready.get(stable):
        return
    if context.release.stable_passed_by:
        context.record("transition", message=f"{stable} answers again: the release goes its usual way")
        context.update_release(stable_passed_by="")
    if context.release.stable_down_samples:
        context.update_release(stable_down_samples=0)


def _stable_is_down(context: PlanContext, blocked: Blocked) -> None:
    """The candidate may be the fix: the policy, or a human, may send everything to it; nobody is locked out."""
    context.update_release(stable_down_samples=context.release.stable_down_samples + 1)
    if context.policy.reactions.stable_down == "promote" and context.release.stable_down_samples >= DOWN_SAMPLES:
        context.update_release(stable_passed_by="the policy")
        context.record(
            "transition", message=f"{blocked.message}. reactions.stableDown is promote: the candidate gets all traffic"
        )
    elif context.release.deadline is not None and context.now >= context.release.deadline:
        context.hold(HeldBy.POLICY, blocked.reason, blocked.message)
    else:
        context.wait(blocked.reason, blocked.message)


def _checked(context: PlanContext) -> None:
    """Both versions are fit; let others have their word before any traffic, unless they want to see a preview."""
    skips_preview = context.is_preview and not context.release.stable_passed_by
    blocked = None if skips_preview else blocked_by((checks_agree_before_traffic,), context)
    if blocked is None and context.release.stable_passed_by:
        _past_stable(context)
    elif blocked is None:
        message = f"preflight passed: {context.status.candidate_version} and {context.status.stable_version} are ready"
        context.go(Event.CHECKED, Reason.CHECKING, message, release=context.changed(wiring=context.spec.wiring()))
    elif blocked.reason in (Reason.CHECK_FAILED, Reason.CHECK_LATE):
        _refuse(context, blocked.reason, blocked.message)
    else:
        context.wait(blocked.reason, blocked.message)


def _past_stable(context: PlanContext) -> None:
    """Send everything to the candidate: there is no stable version to compare it with, and somebody has said so."""
    status = context.status
    message = f"{status.stable_version} is down; all traffic goes to {status.candidate_version}"
    by = context.release.stable_passed_by
    context.go(
        Event.STABLE_PASSED,
        Reason.WEIGHT_PENDING,
        f"{message}, by {by}",
        release=context.changed(wiring=context.spec.wiring()),
    )
    context.update_release(
        step=max(0, context.release.steps - 1), evidence=frozen(context.release.evidence, context.policy.evidence)
    )
    ask_weight(context, FULL_BP)
