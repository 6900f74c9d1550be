"""The life of evidence: begun at a start, interrupted at a change of weight, frozen when everything moves. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine.analysis.evidence import dispersion, grids
from rollout.model.api.kpi import Kpi
from rollout.model.api.policy import Evidence, PolicySpec
from rollout.model.status.evidence import KpiEvidence, TrafficEvidence
from rollout.model.units import FULL_BP
from rollout.stats import HARM, MEANS_HARM, MEANS_PROOF, Batches, Increment, Reached, start, upper_bound

FROZEN_MISS = 0.01
"""The chance that stable's true rate lies above the bound that is frozen for the bake."""


REFERENCE_MAX = 0.5
"""A frozen reference above this would excuse nearly anything; a human must take it from there."""


def fresh(policy: PolicySpec) -> dict[str, KpiEvidence]:
    """Begin the evidence of every KPI."""
    return {kpi.name: _fresh(kpi) for kpi in policy.kpis}


def _fresh(kpi: Kpi) -> KpiEvidence:
    bounded = kpi.at_most_bp is not None
    harm, proof = (MEANS_HARM, MEANS_PROOF) if kpi.is_mean else grids(kpi.margin)
    return KpiEvidence(
        batches=Batches() if kpi.is_mean else None,
        harm=start(harm, restarts=True),
        proof=start(proof, restarts=False),
        bound=start(HARM, restarts=True) if bounded else None,
        stable_bound=start(HARM, restarts=True) if bounded else None,
    )


def frozen(evidence: Mapping[str, KpiEvidence], settings: Evidence) -> dict[str, KpiEvidence]:
    """Fix each KPI's reference for the time when all traffic is on the candidate."""
    return {
        name: state.changed(
            frozen_bound=upper_bound(state.bad_s, state.all_s, FROZEN_MISS, dispersion(state, settings)),
            frozen_asked=_asked_bound(state, settings),
            dispersion=state.dispersion.interrupted(),
        )
        for name, state in evidence.items()
    }


def _asked_bound(state: KpiEvidence, settings: Evidence) -> float | None:
    """Return stable's bound per outcome that could have been given; None where too little is known of it."""
    if state.responses is None:
        return None
    bound = upper_bound(state.asked_bad_s, state.responses.total.all_s, FROZEN_MISS, dispersion(state, settings))
    return bound if bound < REFERENCE_MAX else None


def interrupted(evidence: Mapping[str, KpiEvidence]) -> dict[str, KpiEvidence]:
    """Return the evidence at a change of weight: nothing is lost, but dispersion is not compared across it."""
    return {
        name: state.changed(
            dispersion=state.dispersion.interrupted(),
            batches=state.batches.interrupted() if state.batches else None,
            idle_s=0.0,
            seen=False,
        )
        for name, state in evidence.items()
    }


def split_after(
    split: TrafficEvidence, increment: Increment | None, wanted_bp: int, turns: int, elapsed_s: float
) -> TrafficEvidence:
    """Return the evidence about the split after one sample's requests."""
    if increment is None:
        return split
    share, everyone = wanted_bp / FULL_BP, increment.all_c + increment.all_s
    return TrafficEvidence(
        ratio=split.ratio.after(share, increment.all_c, everyone, float(turns), elapsed_s),
        reached=split.reached.after(share, increment.all_c, everyone, float(turns)),
    )


def split_restarted(split: TrafficEvidence) -> TrafficEvidence:
    """Return the evidence about the split at a change of weight."""
    return TrafficEvidence(ratio=split.ratio, reached=Reached())
