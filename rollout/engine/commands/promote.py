"""Promote: a human passes a step without its evidence, or a stable version that is down."""

from __future__ import annotations

from rollout.engine.analysis.lifecycle import fresh
from rollout.engine.commands.answer import SPEC_PAUSED, CommandRefused, because
from rollout.engine.context import PlanContext
from rollout.engine.eligibility import is_harmful
from rollout.engine.facts import Command
from rollout.engine.start import PREFLIGHT_DEADLINE_S
from rollout.engine.transitions import Event
from rollout.model.status.vocabulary import HeldBy, Phase, Reason


def promote(context: PlanContext, command: Command) -> str:
    status = context.status
    paused = status.phase is Phase.PAUSED
    where = status.resume_to if paused else status.phase
    if paused and status.held_by in (HeldBy.APPROVAL, HeldBy.SPEC):
        raise CommandRefused(
            "it waits for an approval: use approve" if status.held_by is HeldBy.APPROVAL else SPEC_PAUSED
        )
    if status.reason is Reason.WINDOW_CLOSED:
        raise CommandRefused("it waits for a release window: rollout approve waives that for this move")
    if status.reason is Reason.CAPACITY:
        raise CommandRefused("it waits for endpoints of the candidate: rollout approve waives that for this move")
    if status.reason is Reason.STABLE_DOWN and where is Phase.PREFLIGHT:
        return _promote_past_stable(context, command)
    harmed = is_harmful(status)
    if where not in (Phase.OBSERVING, Phase.BAKING) and not (paused and harmed and where is Phase.SHIFTING):
        raise CommandRefused(f"no step to pass: the rollout is {where}")
    passed = context.release.steps if where is Phase.BAKING else context.release.step
    if where is not Phase.SHIFTING:
        names = tuple(dict.fromkeys((*context.release.promoted_by, command.actor)))
        context.update_release(passed_by_human=(*context.release.passed_by_human, passed), promoted_by=names)
    if paused and status.reason is Reason.RESPONSES_DIFFER:
        compare_anew(context)
    if harmed:
        context.update_release(harm_accepted=(*context.release.harm_accepted, passed))
    message = f"passed by hand {because(command)}"
    if paused:
        context.go(Event.RESUME, Reason.CHECKING, message, actor=command.actor)
    knowingly = ", knowing that it is worse" if harmed else ""
    return f"this step is passed without waiting for its evidence{knowingly}, {because(command)}"


def _promote_past_stable(context: PlanContext, command: Command) -> str:
    """Stable is down: let the candidate, which may be its fix, have everything. It takes a reason."""
    status = context.status
    if not command.reason:
        raise CommandRefused(
            f"{status.stable_version} is down: say why {status.candidate_version} may pass it (--reason)"
        )
    context.update_release(
        stable_passed_by=f"{command.actor} ({command.reason})",
        deadline=context.later(PREFLIGHT_DEADLINE_S),
        next_sample_at=None,
    )
    if status.phase is Phase.PAUSED:
        context.go(Event.RESUME, Reason.CHECKING, f"promoted past stable {because(command)}", actor=command.actor)
    return f"{status.stable_version} is passed: all traffic goes to {status.candidate_version}, {because(command)}"


def compare_anew(context: PlanContext) -> None:
    """Somebody has seen that users respond unequally: what they said so far counts neither for nor against."""
    anew = fresh(context.policy)
    renewed = {
        name: state.changed(
            responses=None,
            per_asked=None,
            asked_bad_s=0.0,
            harm=anew[name].harm,
            proof=anew[name].proof,
        )
        for name, state in context.release.evidence.items()
        if state.responses is not None and state.responses.doubtful
    }
    context.update_release(evidence={**context.release.evidence, **renewed})
