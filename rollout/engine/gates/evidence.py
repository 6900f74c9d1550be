"""Gates of evidence: is the candidate proved to be no worse, and with what can it be compared?"""

from __future__ import annotations

from math import inf

from rollout.engine import messages
from rollout.engine.analysis.evidence import frozen_limit
from rollout.engine.analysis.lifecycle import REFERENCE_MAX, frozen
from rollout.engine.analysis.remaining import observed_rate, requests_left
from rollout.engine.analysis.verdict import must_prove
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.model.api.kpi import Kpi
from rollout.model.status.evidence import KpiEvidence, KpiVerdict
from rollout.model.status.vocabulary import Reason
from rollout.model.units import FULL_BP

FAINT = 0.05
"""Odds of a rate below this say too little to be multiplied."""


def evidence_is_in(context: PlanContext) -> Blocked | None:
    must = context.is_last_step and context.strategy.proves
    if context.step.until != "evidence" and not must:
        return None
    states = context.release.evidence
    open_kpis = [kpi for kpi in must_prove(context.policy) if states[kpi.name].verdict is not KpiVerdict.ACCEPTABLE]
    if not open_kpis:
        return None
    missing = "; ".join(_still_needed(context, kpi, states[kpi.name]) for kpi in open_kpis)
    return Blocked(
        Reason.COLLECTING, f"collecting evidence that {context.status.candidate_version} is no worse: {missing}"
    )


def _still_needed(context: PlanContext, kpi: Kpi, state: KpiEvidence) -> str:
    release = context.release
    text = f"{kpi.name} {messages.evidence(state.proof.e_value)} of {messages.evidence(context.thresholds.proof)}"
    immature_s = kpi.matures_s - context.since(release.window_since)
    if immature_s > 0:
        return f"{text} (outcomes mature for {messages.span(immature_s)} more)"
    share = release.traffic.wanted_bp / FULL_BP
    left = requests_left(kpi, state, context.policy.evidence, share, context.thresholds.proof)
    if left is None:
        return text
    if left == inf:
        failing = messages.percent(observed_rate(state))
        return f"{text} (cannot be proved while {failing} fail: widen promotionMargin)"
    return f"{text} ({messages.requests_left(left, context.status.candidate_version or '')})"


def reference_is_known(context: PlanContext) -> Blocked | None:
    """At 100 % the candidate is compared with what stable was at most; that must say something."""
    if not context.strategy.proves:
        return None
    states = context.release.evidence
    unknown = [kpi.name for kpi in _compared_alone(context) if not _is_known(context, kpi, states[kpi.name])]
    if not unknown:
        return None
    message = (
        f"stable was used too little in this rollout to know its rate of {messages.listed(unknown)}, so nothing at"
    )
    return Blocked(Reason.UNDECIDED, f"{message} 100 % could show that {context.status.candidate_version} is worse")


def reference_can_be_frozen(context: PlanContext) -> Blocked | None:
    """After the switch nothing runs beside the candidate: what stable does must be known well before."""
    if not context.strategy.proves:
        return None
    states = frozen(context.release.evidence, context.policy.evidence)
    unknown = [
        f"{kpi.name} is at most {messages.percent(states[kpi.name].frozen_bound or 0.0)}"
        f" ({messages.rate(states[kpi.name].bad_s, states[kpi.name].all_s)} seen)"
        for kpi in _compared_alone(context)
        if not _is_known(context, kpi, states[kpi.name])
    ]
    if not unknown:
        return None
    stable = context.status.stable_version
    message = f"measuring {stable}, to compare with after the switch: {messages.listed(unknown)}"
    return Blocked(Reason.COLLECTING, message)


def _compared_alone(context: PlanContext) -> list[Kpi]:
    return [kpi for kpi in must_prove(context.policy) if not kpi.is_mean]


def _is_known(context: PlanContext, kpi: Kpi, state: KpiEvidence) -> bool:
    """Whether a frozen bound says enough.

    After a canary it only has to show gross harm. After a switch it is all there is: what the bound adds to the rate
    that was seen may be no more than the margin within which the candidate is to be proved.
    """
    bound = 1.0 if state.frozen_bound is None else state.frozen_bound
    margin = kpi.proof_margin
    if bound >= REFERENCE_MAX or margin is None:
        return False
    seen = min(state.bad_s / state.all_s, 1.0) if state.all_s > 0 else 1.0
    return not context.strategy.switches or bound <= frozen_limit(
        max(seen, FAINT) if margin.odds_ratio else seen, margin
    )
