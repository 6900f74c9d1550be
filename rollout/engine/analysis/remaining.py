"""How many more requests of the candidate will a proof need? An estimate, on the safe side: `stats/planning`."""

from __future__ import annotations

from rollout.engine.analysis.evidence import dispersion
from rollout.model.api.kpi import Kpi
from rollout.model.api.policy import Evidence
from rollout.model.status.evidence import KpiEvidence
from rollout.stats import promotion_requests


def requests_left(
    kpi: Kpi, state: KpiEvidence, settings: Evidence, share: float, proof_needed_e: float
) -> float | None:
    """Return how many more requests the candidate needs; infinite: no number is enough; None: none can be told.

    Args:
        share: the candidate's share of the traffic, 0 to 1.
        proof_needed_e: the evidence at which the candidate counts as proved no worse.
    """
    margin = kpi.proof_margin
    if margin is None or margin.odds_ratio is not None or kpi.is_mean or kpi.matures_s > 0:
        return None
    if state.frozen_bound is not None or state.all_s <= 0 or not 0.0 < share < 1.0:
        return None
    rate = observed_rate(state)
    needed = promotion_requests(rate, margin.rate, share, 1.0 / proof_needed_e, dispersion(state, settings))
    left = needed - state.all_c
    return left if left > 0 else None  # it came otherwise than expected: nobody knows how many more


def observed_rate(state: KpiEvidence) -> float:
    """Return how often both versions together fail, 0 to 1."""
    return min(1.0, (state.bad_c + state.bad_s) / (state.all_c + state.all_s))
