"""One look: counters in, evidence out, and the reaction to what it says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rollout.engine import words
from rollout.engine.begin import open_window
from rollout.engine.counters import REQUESTS, SPEND, Increment, responses_of, take
from rollout.engine.draft import Draft
from rollout.engine.evidence import Sight, after_look, split_after
from rollout.engine.judge import judge, with_verdicts
from rollout.engine.phases import Event, allows
from rollout.model.evidence import Verdict
from rollout.model.policy import Escalation
from rollout.model.status import HeldBy, Phase, Reason, Status
from rollout.stats import Look, Reached

LOOKING = (Phase.PREFLIGHT, Phase.SHIFTING, Phase.OBSERVING, Phase.BAKING, Phase.PAUSED, Phase.FROZEN)
"""Phases in which counters are read. Judging never stops while a gate, or a human, holds."""

REACTING = (Phase.SHIFTING, Phase.OBSERVING, Phase.BAKING, Phase.PAUSED)

DOWN_LOOKS = 3
"""A candidate that does not answer for this many looks in a row, while stable does, is worse: no statistics needed."""

GRACE_S = 120.0
"""A source that is down, or a bad environment, for less than this changes nothing, whatever the reaction."""


def look(draft: Draft) -> None:
    """Take one round of counters into the evidence."""
    round_ = draft.facts.round
    if round_ is None or draft.status.phase not in LOOKING or not draft.status.evidence:
        return
    if draft.status.looked_at is not None and draft.now < draft.status.looked_at:
        open_window(draft)  # the clock stepped back: how long anything took is unknown
    status, policy = draft.status, draft.policy
    ledger, increments = take(status.counters, round_, draft.now)
    elapsed_s = draft.since(status.looked_at)
    looks = {name: each.look for name, each in increments.items() if _in_window(draft, each.since)}
    evidence = after_look(status.evidence, policy, _sight(draft, increments, elapsed_s))
    split = status.split
    if status.traffic.applied_at is not None:
        turns = draft.spec.conversations.turns
        split = split_after(split, looks.get(REQUESTS), status.traffic.wanted_bp, turns, elapsed_s)
    judgement = judge(policy, evidence, draft.thresholds)
    draft.update(
        counters=ledger,
        evidence=with_verdicts(policy, evidence, judgement, draft.thresholds, round_),
        split=split,
        harm_e=judgement.harm_e,
        culprits=judgement.culprits,
        environment=judgement.environment,
        looked_at=draft.now,
        next_look_at=draft.later(policy.evidence.look_every_s),
        looks_in_window=status.looks_in_window + (1 if looks else 0),
        unready_looks=status.unready_looks + 1 if _candidate_down(draft) else 0,
        traffic=status.traffic.model_copy(update={"effective": _effective(split.reached)}),
        spent=status.spent + (increments[SPEND].look.all_c if SPEND in increments else 0.0),
    )
    if wrong_split(draft.status) and draft.status.traffic.off_since is None:
        draft.update(traffic=draft.status.traffic.model_copy(update={"off_since": draft.now}))
    draft.record(
        "look",
        message=_tell(looks, {kpi.name for kpi in policy.kpis})
        if looks
        else "nothing counts yet: no steady weight since the last look",
    )


def _sight(draft: Draft, increments: Mapping[str, Increment], elapsed_s: float) -> Sight:
    """Return what may count: increments that lie wholly in the window; they prove something once they are mature."""
    counted = {name: each for name, each in increments.items() if _in_window(draft, each.since)}
    began = draft.status.window_since
    mature = frozenset(
        kpi.name
        for kpi in draft.policy.kpis
        if began is not None
        and kpi.name in counted
        and (counted[kpi.name].since - began).total_seconds() >= kpi.matures_s
    )
    return Sight(
        looks={name: each.look for name, each in counted.items()},
        elapsed_s=elapsed_s,
        responses={
            kpi.name: counted[responses_of(kpi.name)].look
            for kpi in draft.policy.kpis
            if responses_of(kpi.name) in counted
        },
        mature=mature,
        preview=draft.is_preview,
        proves_alone=draft.way.switches,
    )


def _in_window(draft: Draft, since: datetime) -> bool:
    """Whether an increment that began at `since` lies wholly inside the window in which the weight is steady."""
    began = draft.status.window_since
    return began is not None and since >= began


def wrong_split(status: Status) -> bool:
    """Whether the requests contradict the weight that is in force."""
    return status.traffic.effective == "refuted" or status.split.ratio.mismatched


def _effective(reached: Reached) -> str:
    if reached.refuted:
        return "refuted"
    return "confirmed" if reached.confirmed else "unconfirmed"


def _candidate_down(draft: Draft) -> bool:
    status, ready = draft.status, draft.facts.ready
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    used = status.traffic.wanted_bp > 0 or draft.is_preview
    return used and bool(ready.get(candidate)) and not ready.get(stable)


def _tell(looks: Mapping[str, Look], names: set[str]) -> str:
    parts = [
        f"{name} {look.bad_c:g}/{look.all_c:g} {look.bad_s:g}/{look.all_s:g}"
        for name, look in looks.items()
        if name in names
    ]
    return "candidate, stable: " + ", ".join(parts) if parts else "no counter could be read"


def react(draft: Draft) -> None:
    """Do what the policy says about harm and trouble; at most one thing a look, the gravest first."""
    if draft.status.phase not in REACTING or draft.facts.round is None:
        return
    status, policy = draft.status, draft.policy
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    if status.culprits:
        message = words.harmed(
            status.culprits, status.evidence, candidate, stable, status.harm_e, draft.thresholds.harm
        )
        _worse(draft, Reason.WORSE, message)
    elif status.unready_looks >= DOWN_LOOKS and status.traffic.wanted_bp > 0:
        what = draft.facts.ready[candidate]
        message = f"{candidate} did not answer in {status.unready_looks} looks in a row while {stable} did: {what}"
        _worse(draft, Reason.CANDIDATE_DOWN, message)
    elif _too_dear(draft):
        _stop_spending(draft)
    elif status.environment:
        message = f"both versions break their bound on {words.listed(status.environment)}: not the candidate's fault"
        _trouble(draft, Reason.ENVIRONMENT, message, policy.reactions.environment, GRACE_S)
    elif failing := _with_verdict(draft, Verdict.SOURCE_ERROR):
        message = f"no reading of {words.listed(failing)}: {status.evidence[failing[0]].problem}"
        _trouble(draft, Reason.SOURCE_ERROR, message, policy.reactions.source_down, GRACE_S)
    elif draft.facts.round.spend is not None and draft.facts.round.spend.problem:
        message = f"no reading of what {candidate} costs: {draft.facts.round.spend.problem}"
        _trouble(draft, Reason.SOURCE_ERROR, message, policy.reactions.source_down, GRACE_S)
    elif silent := _with_verdict(draft, Verdict.NO_DATA):
        message = f"no outcomes of both versions for {words.listed(silent)}"
        _trouble(draft, Reason.NO_DATA, message, policy.reactions.no_data, 0.0)
    elif status.trouble is not None:
        draft.update(trouble=None, trouble_since=None, trouble_message="")


def _too_dear(draft: Draft) -> bool:
    cap, status = draft.policy.spend_cap, draft.status
    return cap is not None and status.spent - (status.spend_allowed or 0.0) > cap.at_most


def _stop_spending(draft: Draft) -> None:
    """The candidate has cost what it may: go back, or ask. Resuming grants the same sum once more."""
    cap, status = draft.policy.spend_cap, draft.status
    assert cap is not None
    message = (
        f"{status.candidate_version} has cost {status.spent:g}; the policy grants {cap.at_most:g} before promotion"
    )
    if cap.then == "rollback":
        draft.go(Event.ROLL_BACK, Reason.SPEND, message)
    elif draft.status.phase is not Phase.PAUSED:
        draft.hold(HeldBy.POLICY, Reason.SPEND, message)


def _with_verdict(draft: Draft, verdict: Verdict) -> list[str]:
    states = draft.status.evidence
    return [kpi.name for kpi in draft.policy.kpis if not kpi.advisory and states[kpi.name].verdict is verdict]


def _worse(draft: Draft, reason: Reason, message: str) -> None:
    reaction = draft.policy.reactions.worse
    in_bake = Phase.BAKING in (draft.status.phase, draft.status.resume_to)
    if (draft.status.steps if in_bake else draft.status.step) in draft.status.harm_accepted:
        return  # somebody has seen it and passed this step knowingly
    if reaction == "rollback":
        draft.go(Event.ROLL_BACK, reason, message)
    elif reaction == "freeze" and allows(draft.status.phase, Event.FREEZE):
        draft.go(Event.FREEZE, reason, message)
    elif reaction == "pause" and not (draft.status.phase is Phase.PAUSED and draft.status.reason is reason):
        draft.hold(HeldBy.POLICY, reason, message)


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
        draft.go(Event.ROLL_BACK, reason, message)
    elif draft.status.phase is not Phase.PAUSED:
        draft.hold(HeldBy.POLICY, reason, message)
