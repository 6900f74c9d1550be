"""Gates of evidence: is the candidate proved to be no worse, and with what can it be compared?"""

from __future__ import annotations

from math import inf

from rollout.engine import words
from rollout.engine.closed import Closed
from rollout.engine.draft import Draft
from rollout.engine.evidence import dispersion, frozen
from rollout.engine.judge import must_prove
from rollout.model.evidence import KpiEvidence, Verdict
from rollout.model.kpi import Kpi
from rollout.model.status import Reason
from rollout.model.units import FULL_BP
from rollout.stats import promotion_requests

REFERENCE_MAX = 0.5
"""A frozen reference above this would excuse nearly anything; a human must take it from there."""


def evidence_is_in(draft: Draft) -> Closed | None:
    must = draft.is_last_step and draft.way.proves
    if draft.step.until != "evidence" and not must:
        return None
    states = draft.status.evidence
    open_kpis = [kpi for kpi in must_prove(draft.policy) if states[kpi.name].verdict is not Verdict.ACCEPTABLE]
    if not open_kpis:
        return None
    told = "; ".join(_still_needed(draft, kpi, states[kpi.name]) for kpi in open_kpis)
    return Closed(Reason.COLLECTING, f"collects evidence that {draft.status.candidate_version} is no worse: {told}")


def _still_needed(draft: Draft, kpi: Kpi, state: KpiEvidence) -> str:
    text = f"{kpi.name} {words.evidence(state.proof.e_value)} of {words.evidence(draft.thresholds.proof)}"
    margin = kpi.proof_margin
    uncountable = margin is None or margin.odds_ratio is not None or kpi.is_mean or state.frozen_bound is not None
    if uncountable or margin is None or state.all_s <= 0 or not draft.status.traffic.wanted_bp:
        return text
    rate = (state.bad_c + state.bad_s) / (state.all_c + state.all_s)
    share = draft.status.traffic.wanted_bp / FULL_BP
    phi = dispersion(state, draft.policy.evidence)
    needed = promotion_requests(min(rate, 1.0), margin.rate, share, 1.0 / draft.thresholds.proof, phi)
    if needed == inf:
        return f"{text} (cannot be proved while {words.percent(rate)} fail: widen promotionMargin)"
    left = max(1.0, needed - state.all_c)
    return f"{text} (about {left:.0f} more requests of {draft.status.candidate_version})"


def reference_is_known(draft: Draft) -> Closed | None:
    if not draft.way.proves:
        return None
    unknown = [
        kpi.name
        for kpi in must_prove(draft.policy)
        if not kpi.is_mean and (draft.status.evidence[kpi.name].frozen_bound or 0.0) >= REFERENCE_MAX
    ]
    if not unknown:
        return None
    message = f"stable was used too little in this rollout to know its rate of {words.listed(unknown)}, so nothing at"
    return Closed(Reason.UNDECIDED, f"{message} 100 % could show that {draft.status.candidate_version} is worse")


def reference_can_be_frozen(draft: Draft) -> Closed | None:
    """After the switch nothing runs beside the candidate: what stable does must be known before."""
    if not draft.way.proves:
        return None
    bounds = frozen(draft.status.evidence, draft.policy.evidence)
    unknown = [
        f"{kpi.name} at most {words.percent(bounds[kpi.name].frozen_bound or 0.0)}"
        for kpi in must_prove(draft.policy)
        if not kpi.is_mean and (bounds[kpi.name].frozen_bound or 0.0) >= REFERENCE_MAX
    ]
    if not unknown:
        return None
    message = (
        f"learns what {draft.status.stable_version} does, to compare with after the switch: {words.listed(unknown)}"
    )
    return Closed(Reason.COLLECTING, message)
