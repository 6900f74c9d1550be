"""What follows from one look: the reaction to harm, to cost and to trouble, the gravest first."""

from __future__ import annotations

from rollout.engine import words
from rollout.engine.advance import spend_is_granted
from rollout.engine.draft import Draft
from rollout.engine.live import live_harm
from rollout.engine.phases import Event, allows
from rollout.engine.sending_back import send_back
from rollout.engine.waiting import stop_spending
from rollout.engine.wanting import is_down
from rollout.model.evidence import Verdict
from rollout.model.policy import Escalation
from rollout.model.status import HeldBy, Phase, Reason

REACTING = (Phase.SHIFTING, Phase.OBSERVING, Phase.BAKING, Phase.PAUSED)

GRACE_S = 120.0
"""A source that is down, or a bad environment, for less than this changes nothing, whatever the reaction."""


def react(draft: Draft) -> None:
    """Do what the policy says about harm, cost and trouble; at most one thing a look."""
    if draft.status.phase not in REACTING or draft.facts.round is None:
        return
    if _harm(draft):
        return
    if (closed := spend_is_granted(draft)) is not None:
        stop_spending(draft, closed)
        return
    _troubles(draft)


def _harm(draft: Draft) -> bool:
    """React to a candidate that is worse; return whether anything was done."""
    status = draft.status
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    if status.culprits:
        needed = draft.thresholds.harm
        message = words.harmed(status.culprits, status.evidence, candidate, stable, status.harm_e, needed)
        return _worse(draft, Reason.WORSE, message)
    if is_down(status):
        what = draft.facts.ready.get(candidate, "")
        message = f"{candidate} did not answer in {status.unready_looks} looks in a row while {stable} did: {what}"
        return _worse(draft, Reason.CANDIDATE_DOWN, message)
    if message := _silence(draft):
        return _worse(draft, Reason.CANDIDATE_DOWN, message)
    if message := live_harm(draft):
        return _worse(draft, Reason.STATE_INCOMPATIBLE, message)
    return False


SILENT_MIN_S = 120.0
SILENT_EXPECTED = 20.0
"""So many outcomes that should have been there, and none was: after a switch that is no answer, not no data."""


def _silence(draft: Draft) -> str:
    """Say that the candidate has everything and no outcomes at all, where stable had plenty; else an empty text."""
    status, binding = draft.status, [kpi for kpi in draft.policy.kpis if not kpi.advisory]
    in_bake = Phase.BAKING in (status.phase, status.resume_to)
    if not in_bake or not draft.way.proves or status.window_since is None or status.started_at is None:
        return ""
    states = [status.evidence[kpi.name] for kpi in binding]
    if any(state.seen or state.problem for state in states) or status.split.reached.candidate > 0:
        return ""
    before_s = (status.window_since - status.started_at).total_seconds()
    expected = draft.watched_s * max((state.all_s for state in states), default=0.0) / max(before_s, 1.0)
    patience_s = max(SILENT_MIN_S, *(kpi.matures_s for kpi in binding))
    if expected < SILENT_EXPECTED or draft.watched_s < patience_s:
        return ""
    candidate, stable = status.candidate_version, status.stable_version
    told = f"{candidate} has all traffic and no outcomes for {words.span(draft.watched_s)}"
    return f"{told}, though {stable} had enough for {words.count(expected)}: {candidate} does not answer"


def _troubles(draft: Draft) -> None:
    """React to what is nobody's fault, or not known to be."""
    status, reactions = draft.status, draft.policy.reactions
    if status.undoing:
        return  # the way back waits for no metrics
    spend = draft.facts.round.spend if draft.facts.round else None
    if status.environment:
        message = f"both versions break their bound on {words.listed(status.environment)}: not the candidate's fault"
        _trouble(draft, Reason.ENVIRONMENT, message, reactions.environment, GRACE_S)
    elif failing := _with_verdict(draft, Verdict.SOURCE_ERROR):
        message = f"no reading of {words.listed(failing)}: {status.evidence[failing[0]].problem}"
        _trouble(draft, Reason.SOURCE_ERROR, message, reactions.source_down, GRACE_S)
    elif draft.facts.round is not None and (problem := draft.facts.round.requests.problem):
        message = f"no reading of the counter that the split is measured by: {problem}"
        _trouble(draft, Reason.SOURCE_ERROR, message, reactions.source_down, GRACE_S)
    elif spend is not None and spend.problem:
        message = f"no reading of what {status.candidate_version} costs: {spend.problem}"
        _trouble(draft, Reason.SOURCE_ERROR, message, reactions.source_down, GRACE_S)
    elif silent := _with_verdict(draft, Verdict.NO_DATA):
        message = f"no outcomes of both versions for {words.listed(silent)}"
        _trouble(draft, Reason.NO_DATA, message, reactions.no_data, 0.0)
    elif status.trouble is not None:
        draft.update(trouble=None, trouble_since=None, trouble_message="")


def _with_verdict(draft: Draft, verdict: Verdict) -> list[str]:
    states = draft.status.evidence
    return [kpi.name for kpi in draft.policy.kpis if not kpi.advisory and states[kpi.name].verdict is verdict]


def _worse(draft: Draft, reason: Reason, message: str) -> bool:
    """Do what the policy says of harm. On the way back to a version, nothing but a human leads forward again."""
    reaction = draft.policy.reactions.worse
    if draft.status.undoing and reaction == "rollback":
        reaction = "pause"
    stable = draft.status.stable_version or ""
    if reaction == "rollback" and (problem := draft.facts.ready.get(stable)):
        reaction = "pause"
        message = f"{message}. But {stable} does not answer, so nobody is sent back to it: {problem}"
    in_bake = Phase.BAKING in (draft.status.phase, draft.status.resume_to)
    if (draft.status.steps if in_bake else draft.status.step) in draft.status.harm_accepted:
        return False  # somebody has seen it and passed this step knowingly
    if reaction == "rollback":
        send_back(draft, reason, message)
    elif reaction == "freeze" and allows(draft.status.phase, Event.FREEZE):
        draft.go(Event.FREEZE, reason, message)
    elif reaction == "pause" and not (draft.status.phase is Phase.PAUSED and draft.status.reason is reason):
        draft.hold(HeldBy.POLICY, reason, message)
    else:
        return False
    return True


def _escalated(reaction: str | Escalation, grace_s: float) -> tuple[str, float]:
    """Return what a reaction comes to, and after how long."""
    return (reaction.do, reaction.after_s) if isinstance(reaction, Escalation) else (reaction, grace_s)


def _trouble(draft: Draft, reason: Reason, message: str, reaction: str | Escalation, grace_s: float) -> None:
    if draft.status.trouble is not reason:
        draft.update(trouble=reason, trouble_since=draft.now)
    draft.update(trouble_message=message)
    move, after_s = _escalated(reaction, grace_s)
    lasted_s = draft.since(draft.status.trouble_since)
    if move == "hold" or lasted_s < after_s:
        return
    message = f"{message}, for {words.span(lasted_s)}"
    if move == "rollback":
        send_back(draft, reason, message)
    elif draft.status.phase is not Phase.PAUSED:
        draft.hold(HeldBy.POLICY, reason, message)
