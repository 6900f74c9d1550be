"""Steps: a weight is set, watched, and passed."""

from __future__ import annotations

from rollout.engine.analysis.lifecycle import frozen
from rollout.engine.capacity import growth
from rollout.engine.context import PlanContext
from rollout.engine.gates import chains
from rollout.engine.gates.gate import Gate
from rollout.engine.gates.readiness import weight_is_effective
from rollout.engine.phases.gating import blocked_by
from rollout.engine.phases.waiting import undecided, wait_or_give_up
from rollout.engine.start import ask_weight
from rollout.engine.transitions import Event
from rollout.model.status.vocabulary import Reason
from rollout.model.units import FULL_BP


def shifting(context: PlanContext) -> None:
    step = context.step
    if context.release.traffic.asked_at is None or context.release.traffic.wanted_bp != step.weight_bp:
        blocked = None if step.weight_bp == 0 else blocked_by(chains.ADVANCE, context)
        if blocked is not None:
            wait_or_give_up(context, blocked)
            return
        grows = growth(context, step.weight_bp) if step.weight_bp else ""
        ask_weight(context, step.weight_bp, context.preview_header if step.weight_bp == 0 else None)
        message = f"setting the weight: {context.shown_step}"
        context.update(reason=Reason.WEIGHT_PENDING, message=f"{message}. {grows}" if grows else message)
        context.record("traffic")
    elif context.release.traffic.applied_at is not None:
        context.go(Event.WEIGHT_EFFECTIVE, Reason.WARMING_UP, f"the weight is set: {context.shown_step}")
    elif (blocked := weight_is_effective(context)) is not None:
        wait_or_give_up(context, blocked)


def observing(context: PlanContext) -> None:
    by_hand = context.release.step in context.release.passed_by_human
    blocked = blocked_by(_chain(context, by_hand=by_hand), context)
    at_most_s = context.step.at_most_s
    out_of_time = at_most_s is not None and context.watched_s >= at_most_s
    if blocked is None:
        _pass_step(context, "by hand" if by_hand else "")
    elif blocked.reason is Reason.COLLECTING and at_most_s is not None and out_of_time:
        if undecided(context, blocked, at_most_s):
            _pass_step(context, "undecided, as the policy allows")
    else:
        wait_or_give_up(context, blocked)


def _chain(context: PlanContext, *, by_hand: bool) -> tuple[Gate, ...]:
    if context.is_preview:
        return chains.PREVIEW_BY_HAND if by_hand else chains.PREVIEW
    return (weight_is_effective,) if by_hand else chains.STEP


def _pass_step(context: PlanContext, how: str) -> None:
    """Go on to the next step; after the last one everything moves, once whoever has a say agrees."""
    message = f"{context.shown_step} passed, {how}" if how else f"{context.shown_step} passed"
    if not context.is_last_step:
        context.go(
            Event.STEP_PASSED, Reason.WEIGHT_PENDING, message, release=context.changed(step=context.release.step + 1)
        )
        return
    blocked = blocked_by(chains.ADVANCE_TO_ALL, context)
    if blocked is not None:
        wait_or_give_up(context, blocked)
        return
    context.update_release(evidence=frozen(context.release.evidence, context.policy.evidence))
    grows = f". {grows}" if (grows := growth(context, FULL_BP)) else ""
    context.go(Event.LAST_STEP_PASSED, Reason.WEIGHT_PENDING, f"{message}; next is all traffic to the candidate{grows}")
    ask_weight(context, FULL_BP)
