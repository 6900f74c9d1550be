"""What follows from one sample: the reaction to harm, to cost and to trouble, the gravest first."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.conversations.arrival import pins_lost
from rollout.engine.eligibility import is_down
from rollout.engine.gates.spending import spend_is_granted
from rollout.engine.identities import is_candidate_changed
from rollout.engine.rollback.send_back import send_back, stop_spending
from rollout.engine.state.live import live_harm
from rollout.engine.transitions import Event, allows
from rollout.model.api.policy import Escalation
from rollout.model.status.evidence import KpiVerdict
from rollout.model.status.vocabulary import HeldBy, Phase, Reason

REACTING = (Phase.SHIFTING, Phase.OBSERVING, Phase.BAKING, Phase.PAUSED)

GRACE_S = 120.0
"""A source that is down, or a bad environment, for less than this changes nothing, whatever the reaction."""


def react(context: PlanContext) -> None:
    """Do what the policy says about harm, cost and trouble; at most one thing a sample."""
    if context.status.phase not in REACTING or context.facts.round is None:
        return
    if _harm(context):
        return
    if (blocked := spend_is_granted(context)) is not None:
        stop_spending(context, blocked)
        return
    if not _drifted(context):
        _troubles(context)


def _harm(context: PlanContext) -> bool:
    """React to a candidate that is worse; return whether anything was done."""
    status = context.status
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    if context.release.culprits:
        needed = context.thresholds.harm
        message = messages.harmed(
            context.release.culprits, context.release.evidence, candidate, stable, context.release.harm_e, needed
        )
        return _worse(context, Reason.WORSE, message)
    if is_down(status):
        what = context.facts.ready.get(candidate, "")
        message = (
            f"{candidate} did not answer {context.release.unready_samples} times in a row, while {stable} did: {what}"
        )
        return _worse(context, Reason.CANDIDATE_DOWN, message)
    if message := _silence(context):
        return _worse(context, Reason.CANDIDATE_DOWN, message)
    if message := live_harm(context):
        return _worse(context, Reason.STATE_INCOMPATIBLE, message)
    return False


def _drifted(context: PlanContext) -> bool:
    """React to a version that has become another one: what was seen is then of both. Return whether it stops.

    Only the candidate's change leads back: stable is no better a place for having changed itself.
    """
    reaction, drift = context.policy.reactions.drift, context.release.identity_drift
    if not drift or reaction == "warn" or context.release.undoing:
        return False
    message = f"a version has changed since the preflight, so the evidence is not of one: {drift}"
    if reaction == "rollback" and is_candidate_changed(context):
        send_back(context, Reason.IDENTITY_CHANGED, message)
    elif context.status.phase is not Phase.PAUSED:
        context.hold(HeldBy.POLICY, Reason.IDENTITY_CHANGED, message)
    return True


SILENT_MIN_S = 120.0
SILENT_EXPECTED = 20.0
"""So many outcomes that should have been there, and none was: after a switch that is no answer, not no data."""


def _silence(context: PlanContext) -> str:
    """Say that the candidate has everything and no outcomes at all, where stable had plenty; else an empty text."""
    status, binding, release = context.status, [kpi for kpi in context.policy.kpis if not kpi.advisory], context.release
    in_bake = Phase.BAKING in (status.phase, status.resume_to)
    if not in_bake or not context.strategy.proves or release.window_since is None or release.started_at is None:
        return ""
    states = [release.evidence[kpi.name] for kpi in binding]
    if any(state.seen or state.problem for state in states) or release.split.reached.candidate > 0:
        return ""
    before_s = (release.window_since - release.started_at).total_seconds()
    expected = context.watched_s * max((state.all_s for state in states), default=0.0) / max(before_s, 1.0)
    patience_s = max(SILENT_MIN_S, *(kpi.matures_s for kpi in binding))
    if expected < SILENT_EXPECTED or context.watched_s < patience_s:
        return ""
    candidate, stable = status.candidate_version, status.stable_version
    message = f"{candidate} has all traffic but no outcomes for {messages.span(context.watched_s)}"
    expectation = f"About {messages.count(expected)} were expected from the rate of {stable}"
    return f"{message}. {expectation}. {candidate} does not answer"


def _troubles(context: PlanContext) -> None:
    """React to what is nobody's fault, or not known to be."""
    status, reactions = context.status, context.policy.reactions
    if context.release.undoing:
        return  # the way back waits for no metrics
    spend = context.facts.round.spend if context.facts.round else None
    if context.release.environment:
        broken = messages.listed(context.release.environment)
        message = f"both versions break their bound on {broken}: not the candidate's fault"
        _trouble(context, Reason.ENVIRONMENT, message, reactions.environment, GRACE_S)
    elif failing := _with_verdict(context, KpiVerdict.SOURCE_ERROR):
        message = f"cannot read {messages.listed(failing)}: {context.release.evidence[failing[0]].problem}"
        _trouble(context, Reason.SOURCE_ERROR, message, reactions.source_down, GRACE_S)
    elif context.facts.round is not None and (problem := context.facts.round.requests.problem):
        message = f"cannot read the counter that the split is measured by: {problem}"
        _trouble(context, Reason.SOURCE_ERROR, message, reactions.source_down, GRACE_S)
    elif spend is not None and spend.problem:
        message = f"cannot read what {status.candidate_version} costs: {spend.problem}"
        _trouble(context, Reason.SOURCE_ERROR, message, reactions.source_down, GRACE_S)
    elif message := pins_lost(context):
        _trouble(context, Reason.PINS_LOST, message, "pause", 0.0)
    elif silent := _with_verdict(context, KpiVerdict.NO_DATA):
        message = f"no outcomes of both versions for {messages.listed(silent)}"
        _trouble(context, Reason.NO_DATA, message, reactions.no_data, 0.0)
    elif context.release.trouble is not None:
        context.update_release(trouble=None, trouble_since=None, trouble_message="")


def _with_verdict(context: PlanContext, verdict: KpiVerdict) -> list[str]:
    states = context.release.evidence
    return [kpi.name for kpi in context.policy.kpis if not kpi.advisory and states[kpi.name].verdict is verdict]


def _worse(context: PlanContext, reason: Reason, message: str) -> bool:
    """Do what the policy says of harm. On the way back to a version, nothing but a human leads forward again."""
    release = context.release
    reaction = context.policy.reactions.harm.then
    if release.undoing and reaction == "rollback":
        reaction = "pause"
    stable = context.status.stable_version or ""
    if reaction == "rollback" and (problem := context.facts.ready.get(stable)):
        reaction = "pause"
        message = f"{message}. But {stable} does not answer, so no traffic goes back to it: {problem}"
    in_bake = Phase.BAKING in (context.status.phase, context.status.resume_to)
    if (release.steps if in_bake else release.step) in release.harm_accepted:
        return False  # somebody has seen it and passed this step knowingly
    if reaction == "rollback":
        send_back(context, reason, message)
    elif reaction == "freeze" and allows(context.status.phase, Event.FREEZE):
        context.go(Event.FREEZE, reason, message)
    elif reaction == "pause" and not (context.status.phase is Phase.PAUSED and context.status.reason is reason):
        context.hold(HeldBy.POLICY, reason, message)
    else:
        return False
    return True


def _escalated(reaction: str | Escalation, grace_s: float) -> tuple[str, float]:
    """Return what a reaction comes to, and after how long."""
    return (reaction.do, reaction.after_s) if isinstance(reaction, Escalation) else (reaction, grace_s)


def _trouble(context: PlanContext, reason: Reason, message: str, reaction: str | Escalation, grace_s: float) -> None:
    if context.release.trouble is not reason:
        context.update_release(trouble=reason, trouble_since=context.now)
    context.update_release(trouble_message=message)
    move, after_s = _escalated(reaction, grace_s)
    lasted_s = context.since(context.release.trouble_since)
    if move == "hold" or lasted_s < after_s:
        return
    message = f"{message}, for {messages.span(lasted_s)}"
    if move == "rollback":
        send_back(context, reason, message)
    elif context.status.phase is not Phase.PAUSED:
        context.hold(HeldBy.POLICY, reason, message)
