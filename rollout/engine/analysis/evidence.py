"""From increments to evidence, KPI by KPI. Pure: the same samples always give the same evidence, to the last bit.

Harm is tested over the whole rollout, with restarts for late regressions, and never reset. Evidence that the candidate
is no worse is collected over the whole rollout, without restarts. With `atMost`, the one-sample test is collected too.
At 100 % there is no concurrent stable version: the reference is then stable's upper bound from this rollout plus the
margin (`reference: frozen`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from rollout.model.api.kpi import Kpi, Margin
from rollout.model.api.policy import Evidence, PolicySpec
from rollout.model.status.evidence import KpiChanges, KpiEvidence
from rollout.model.units import FULL_BP
from rollout.stats import (
    HARM,
    MEANS_HARM,
    MEANS_PROOF,
    ODDS_HARM,
    ODDS_PROOF,
    PROOF,
    Grid,
    Increment,
    RateMargin,
    Responses,
    Wealth,
    bound_evidence,
    odds_evidence,
    rate_evidence,
    scale_odds,
    start,
    upper_bound,
)


def grids(margin: Margin | None) -> tuple[Grid, Grid]:
    """Return the bets on harm and on its absence that suit a margin."""
    if margin is not None and margin.odds_ratio is not None:
        return ODDS_HARM, ODDS_PROOF
    return HARM, PROOF


@dataclass(frozen=True, slots=True)
class CountedSample:
    """What one sample saw, and what of it may count.

    Attributes:
        increments: by KPI.
        responses: increments of outcomes given, by KPI.
        mature: the KPIs whose outcomes are old enough to prove anything.
        preview: no user is on the candidate, so only stable's outcomes count.
        proves_alone: whether the candidate is proved against the frozen reference, because nothing was ever compared.
    """

    increments: Mapping[str, Increment]
    elapsed_s: float
    responses: Mapping[str, Increment] = field(default_factory=dict)
    mature: frozenset[str] = frozenset()
    preview: bool = False
    proves_alone: bool = False


def after_sample(
    evidence: Mapping[str, KpiEvidence], policy: PolicySpec, sample: CountedSample
) -> dict[str, KpiEvidence]:
    """Return every KPI's evidence after one sample; a KPI without an increment waits."""
    return {kpi.name: _after(evidence[kpi.name], kpi, sample, policy.evidence) for kpi in policy.kpis}


def _after(state: KpiEvidence, kpi: Kpi, sample: CountedSample, settings: Evidence) -> KpiEvidence:
    increment = sample.increments.get(kpi.name)
    if increment is None:
        return state
    if sample.preview:
        increment = Increment(0.0, 0.0, increment.bad_s, increment.all_s)
    used = increment.all_s > 0 if sample.preview else _used(state, increment)
    phi = dispersion(state, settings)
    changes: KpiChanges = {
        "bad_c": state.bad_c + increment.bad_c,
        "all_c": state.all_c + increment.all_c,
        "bad_s": state.bad_s + increment.bad_s,
        "all_s": state.all_s + increment.all_s,
        "idle_s": 0.0 if used else state.idle_s + sample.elapsed_s,
        "seen": state.seen or used,
    }
    given = sample.responses.get(kpi.name)
    if given is not None and not sample.preview:
        changes["responses"] = (state.responses or Responses()).after(given, phi, sample.elapsed_s)
        if kpi.margin is not None:
            changes["asked_bad_s"] = state.asked_bad_s + increment.bad_s
            changes["per_asked"] = _per_asked(state, kpi.margin, increment, given, phi, sample.elapsed_s)
    if kpi.is_mean:
        return state.changed(**(changes | _means(state, kpi, increment, sample)))
    if kpi.margin is not None and state.frozen_bound is not None:
        changes |= _alone(state, state.frozen_bound, kpi, increment, phi, sample)
    elif kpi.margin is not None:
        changes |= _compared(state, kpi, increment, phi, sample)
    if kpi.at_most_bp is not None and state.bound and state.stable_bound:
        limit = kpi.at_most_bp / FULL_BP
        candidate = bound_evidence(increment.bad_c, increment.all_c, limit, phi)
        stable = bound_evidence(increment.bad_s, increment.all_s, limit, phi)
        changes["bound"] = state.bound.after(HARM, candidate, sample.elapsed_s)
        changes["stable_bound"] = state.stable_bound.after(HARM, stable, sample.elapsed_s)
    changes["difference"] = state.difference.after(increment, phi)
    changes["dispersion"] = state.dispersion.after(increment)
    return state.changed(**changes)


def harm_evidence(state: KpiEvidence) -> float:
    """Return the evidence of harm: what users say of their own accord must be worse by both counts.

    Among those who responded, and among all who could have: whoever makes more people speak up, or fewer, looks worse
    by one of them only.
    """
    alone = state.frozen_bound is not None and state.frozen_asked is None  # nothing is known to count the second way by
    evidence = state.harm.e_value
    return evidence if state.per_asked is None or alone else min(evidence, state.per_asked.e_value)


def _per_asked(
    state: KpiEvidence, margin: Margin, increment: Increment, given: Increment, phi: float, elapsed_s: float
) -> Wealth:
    """Return the evidence of harm per outcome that could have been given, not per one that was."""
    wealth = state.per_asked or start(HARM, restarts=True)
    total = state.responses.total if state.responses else given
    answered, asked = total.bad_c + total.bad_s, total.all_c + total.all_s
    ratio = margin.odds_ratio or margin.rate.ratio
    scaled = RateMargin(ratio, margin.rate.excess * min(1.0, answered / asked) if asked > 0 else margin.rate.excess)
    if state.frozen_asked is not None:
        limit = min(1.0, scaled.ratio * state.frozen_asked + scaled.excess)
        return wealth.after(HARM, bound_evidence(increment.bad_c, given.all_c, limit, phi), elapsed_s)
    counted = Increment(increment.bad_c, given.all_c, increment.bad_s, given.all_s)
    return wealth.after(HARM, rate_evidence(counted, HARM, scaled, phi), elapsed_s)


def _compared(state: KpiEvidence, kpi: Kpi, increment: Increment, phi: float, sample: CountedSample) -> KpiChanges:
    """Compare both versions; outcomes that have not matured can show harm, but prove nothing."""
    margin = kpi.margin
    assert margin is not None
    counted, carried_c, carried_s = _whole(state, increment, margin)
    harm_grid, proof_grid = grids(margin)
    harm = state.harm.after(harm_grid, _log_es(counted, harm_grid, margin, phi), sample.elapsed_s)
    changes: KpiChanges = {"harm": harm, "carried_c": carried_c, "carried_s": carried_s}
    if kpi.name in sample.mature:
        logs = _log_es(counted, proof_grid, kpi.proof_margin or margin, phi)
        changes["proof"] = state.proof.after(proof_grid, logs, sample.elapsed_s)
    return changes


def _alone(
    state: KpiEvidence, bound: float, kpi: Kpi, increment: Increment, phi: float, sample: CountedSample
) -> KpiChanges:
    """Compare the candidate with what stable was at most, where stable has no traffic any more."""
    margin = kpi.margin
    assert margin is not None
    harm_grid, proof_grid = grids(margin)
    logs = bound_evidence(increment.bad_c, increment.all_c, frozen_limit(bound, margin), phi, harm_grid)
    changes: KpiChanges = {"harm": state.harm.after(harm_grid, logs, sample.elapsed_s)}
    limit = frozen_limit(bound, kpi.proof_margin or margin)
    if sample.proves_alone and kpi.name in sample.mature and limit < 1.0:
        logs = bound_evidence(increment.bad_c, increment.all_c, limit, phi, proof_grid)
        changes["proof"] = state.proof.after(proof_grid, logs, sample.elapsed_s)
    return changes


def _means(state: KpiEvidence, kpi: Kpi, increment: Increment, sample: CountedSample) -> KpiChanges:
    """Compare means of sums batch by batch; where one version has no traffic there is nothing to compare."""
    if state.batches is None:
        return {}
    batches, batch = state.batches.after(increment)
    changes: KpiChanges = {"batches": batches}
    if batch is not None and kpi.margin is not None:
        ratio, proof = kpi.margin.rate.ratio, (kpi.proof_margin or kpi.margin).rate.ratio
        changes["harm"] = state.harm.after(MEANS_HARM, state.batches.log_es(batch, ratio, MEANS_HARM), sample.elapsed_s)
        if kpi.name in sample.mature:
            logs = state.batches.log_es(batch, proof, MEANS_PROOF)
            changes["proof"] = state.proof.after(MEANS_PROOF, logs, sample.elapsed_s)
    return changes


def dispersion(state: KpiEvidence, settings: Evidence) -> float:
    """Return the phi that applies to the next increment: as declared, else learnt from the increments so far."""
    return state.dispersion.phi if settings.dispersion == "learn" else float(settings.dispersion)


INTERVAL_MISS = 0.05
"""The chance that the interval shown for a KPI ever misses."""


def interval(state: KpiEvidence) -> tuple[float | None, float | None]:
    """Return what the excess of the candidate may be, at 95 % at any time: of its rate, or relatively of its mean.

    (None, None) while nothing was compared.
    """
    if state.batches is not None:
        low, high = state.batches.interval(INTERVAL_MISS)
        return (low, high) if isfinite(high) else (None, None)
    if not any(state.difference.up_b):
        return None, None
    return state.difference.interval(INTERVAL_MISS)


def rate_interval(state: KpiEvidence, settings: Evidence) -> tuple[float, float]:
    """Return what the candidate's own rate may be, at 95 % and at any time: all there is after a switch."""
    phi, miss = dispersion(state, settings), INTERVAL_MISS / 2.0
    low = 1.0 - upper_bound(state.all_c - state.bad_c, state.all_c, miss, phi)
    return low, upper_bound(state.bad_c, state.all_c, miss, phi)


def _used(state: KpiEvidence, increment: Increment) -> bool:
    """Whether an increment has outcomes of all versions that are compared."""
    alone = state.frozen_bound is not None
    return increment.all_c > 0 and (alone or increment.all_s > 0)


def _log_es(increment: Increment, grid: Grid, margin: Margin, phi: float) -> list[float]:
    if margin.odds_ratio is not None:
        return odds_evidence(increment, grid, margin.odds_ratio, phi)
    return rate_evidence(increment, grid, margin.rate, phi)


def _whole(state: KpiEvidence, increment: Increment, margin: Margin) -> tuple[Increment, float, float]:
    """Return the increment to count, and the failures carried to the next one.

    The odds-ratio kernel needs whole counts with no more failures than trials; failures of tasks that began before
    this increment wait for the next one's trials.
    """
    if margin.odds_ratio is None:
        return increment, 0.0, 0.0
    bad_c, bad_s = increment.bad_c + state.carried_c, increment.bad_s + state.carried_s
    now_c, now_s = min(bad_c, float(int(increment.all_c))), min(bad_s, float(int(increment.all_s)))
    counted = Increment(float(int(now_c)), float(int(increment.all_c)), float(int(now_s)), float(int(increment.all_s)))
    return counted, bad_c - counted.bad_c, bad_s - counted.bad_s


def frozen_limit(bound: float, margin: Margin) -> float:
    """Return the highest rate that still counts as the same as a rate of at most `bound`."""
    if margin.odds_ratio is not None:
        return scale_odds(bound, margin.odds_ratio)
    return min(1.0, margin.rate.ratio * bound + margin.rate.excess)
