"""What one KPI's evidence comes to: its figures, its interval, and the limits that both are held against. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine.analysis.evidence import dispersion, frozen_limit, harm_evidence, interval, rate_interval
from rollout.model.api.kpi import Kpi, Margin
from rollout.model.api.policy import Evidence, PolicySpec
from rollout.model.status.decision import KpiFigures
from rollout.model.status.evidence import KpiEvidence
from rollout.model.status.judged import JudgedKpi


def judged(policy: PolicySpec, evidence: Mapping[str, KpiEvidence]) -> dict[str, JudgedKpi]:
    """Return all KPIs as they are judged, in the policy's order; one without evidence is left out."""
    return {kpi.name: _judged(kpi, evidence[kpi.name], policy.evidence) for kpi in policy.kpis if kpi.name in evidence}


def figures(state: KpiEvidence, settings: Evidence) -> KpiFigures:
    """Return the counts, e-values, verdict and interval of one KPI."""
    low, high = interval(state)
    return KpiFigures(
        bad_c=state.bad_c,
        all_c=state.all_c,
        bad_s=state.bad_s,
        all_s=state.all_s,
        harm_e=harm_evidence(state),
        proof_e=state.proof.e_value,
        phi=dispersion(state, settings),
        verdict=state.verdict,
        reference="concurrent" if state.frozen_bound is None else "frozen",
        asymptotic=state.batches is not None,
        excess_low=low,
        excess_high=high,
    )


def _judged(kpi: Kpi, state: KpiEvidence, settings: Evidence) -> JudgedKpi:
    counted = figures(state, settings)
    common = {"figures": counted, "advisory": kpi.advisory, "problem": state.problem or _silence(state)}
    bound = state.frozen_bound
    if counted.excess_low is None and bound is not None and state.all_c > 0 and not kpi.is_mean:
        low, high = rate_interval(state, settings)
        return JudgedKpi(
            **common,
            scale="rate",
            low=low,
            high=high,
            harm_limit=None if kpi.margin is None else frozen_limit(bound, kpi.margin),
            proof_limit=None if kpi.proof_margin is None else frozen_limit(bound, kpi.proof_margin),
        )
    rate = state.bad_s / state.all_s if state.all_s > 0 else 0.0
    return JudgedKpi(
        **common,
        scale="relative" if kpi.is_mean else "difference",
        low=counted.excess_low,
        high=counted.excess_high,
        harm_limit=_excess_allowed(kpi, kpi.margin, rate),
        proof_limit=_excess_allowed(kpi, kpi.proof_margin, rate),
    )


def _silence(state: KpiEvidence) -> str:
    """Say why a KPI is not judged, where its outcomes are such that people give of their own accord."""
    doubtful = state.responses is not None and state.responses.doubtful
    return "not judged: users of the two versions respond at different rates" if doubtful else ""


def _excess_allowed(kpi: Kpi, margin: Margin | None, rate: float) -> float | None:
    """Return by how much the candidate may exceed stable, whose rate is `rate`; of means, relatively."""
    if margin is None:
        return None
    return margin.rate.ratio - 1.0 if kpi.is_mean else frozen_limit(rate, margin) - rate
