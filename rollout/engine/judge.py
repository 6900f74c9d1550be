"""From increments to verdicts. Pure: the same looks always give the same evidence, to the last bit.

Harm is tested over the whole rollout, with restarts for late regressions, and never reset. Evidence that the candidate
is no worse is collected over the whole rollout, without restarts. With `atMost`, the one-sample test is averaged in.
At 100 % there is no concurrent stable version: the reference is then stable's upper bound from this rollout plus the
margin (`reference: frozen`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.engine.facts import Round
from rollout.model.evidence import KpiEvidence, TrafficEvidence, Verdict
from rollout.model.policy import Evidence, Kpi, Margin, PolicySpec
from rollout.model.units import FULL_BP
from rollout.stats import (
    HARM,
    PROOF,
    Look,
    Reached,
    Weighted,
    average,
    bound_evidence,
    culprits,
    odds_evidence,
    rate_evidence,
    scale_odds,
    start,
    upper_bound,
)

NO_DATA_AFTER_S = 600.0
"""No outcomes from one of the versions for this long is `no-data`; before, it is just little traffic."""

FROZEN_MISS = 0.01
"""The chance that stable's true rate lies above the bound that is frozen for the bake."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Evidence needed, as e-values: 1 / falseRollback (halved with each retry) and 1 / falsePromotion."""

    harm: float
    proof: float

    @classmethod
    def of(cls, evidence: Evidence, retries: int) -> Thresholds:
        return cls(
            harm=FULL_BP / evidence.false_rollback_bp * 2.0**retries,
            proof=FULL_BP / evidence.false_promotion_bp,
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all KPIs say together. environment: KPIs whose bound both versions break."""

    harm_e: float
    worse: bool
    culprits: tuple[str, ...]
    environment: tuple[str, ...]


def fresh(policy: PolicySpec) -> dict[str, KpiEvidence]:
    """Open the books of every KPI."""
    return {kpi.name: _fresh(kpi) for kpi in policy.kpis}


def _fresh(kpi: Kpi) -> KpiEvidence:
    bounded = kpi.at_most_bp is not None
    return KpiEvidence(
        harm=start(HARM, restarts=True),
        proof=start(PROOF, restarts=False),
        bound=start(HARM, restarts=True) if bounded else None,
        stable_bound=start(HARM, restarts=True) if bounded else None,
    )


def after_look(
    evidence: Mapping[str, KpiEvidence], policy: PolicySpec, looks: Mapping[str, Look], elapsed_s: float
) -> dict[str, KpiEvidence]:
    """Return every KPI's evidence after one look; a KPI without a look waits."""
    return {
        kpi.name: _after(evidence[kpi.name], kpi, looks.get(kpi.name), policy.evidence, elapsed_s)
        for kpi in policy.kpis
    }


def _after(state: KpiEvidence, kpi: Kpi, look: Look | None, settings: Evidence, elapsed_s: float) -> KpiEvidence:
    if look is None:
        return state
    changes: dict[str, object] = {
        "bad_c": state.bad_c + look.bad_c,
        "all_c": state.all_c + look.all_c,
        "bad_s": state.bad_s + look.bad_s,
        "all_s": state.all_s + look.all_s,
        "idle_s": 0.0 if _used(state, look) else state.idle_s + elapsed_s,
        "seen": state.seen or _used(state, look),
    }
    phi = dispersion(state, settings)
    margin = kpi.margin
    if margin is not None and state.frozen_bound is not None:
        limit = _frozen_limit(state.frozen_bound, margin)
        logs = bound_evidence(look.bad_c, look.all_c, limit, phi)
        changes["harm"] = state.harm.after(HARM, logs, elapsed_s)
    elif margin is not None:
        counted, carried_c, carried_s = _whole(state, look, margin)
        proof = kpi.proof_margin or margin
        changes |= {
            "harm": state.harm.after(HARM, _log_es(counted, margin, phi, harm=True), elapsed_s),
            "proof": state.proof.after(PROOF, _log_es(counted, proof, phi, harm=False), elapsed_s),
            "carried_c": carried_c,
            "carried_s": carried_s,
        }
    if kpi.at_most_bp is not None and state.bound and state.stable_bound:
        limit = kpi.at_most_bp / FULL_BP
        candidate = bound_evidence(look.bad_c, look.all_c, limit, phi)
        stable = bound_evidence(look.bad_s, look.all_s, limit, phi)
        changes["bound"] = state.bound.after(HARM, candidate, elapsed_s)
        changes["stable_bound"] = state.stable_bound.after(HARM, stable, elapsed_s)
    changes["dispersion"] = state.dispersion.after(look)
    return state.model_copy(update=changes)


def dispersion(state: KpiEvidence, settings: Evidence) -> float:
    """Return the phi in force for the next look: as declared, else learnt from the looks so far."""
    return state.dispersion.phi if settings.dispersion == "learn" else float(settings.dispersion)


def _used(state: KpiEvidence, look: Look) -> bool:
    """Whether a look has outcomes of all versions that are compared."""
    alone = state.frozen_bound is not None
    return look.all_c > 0 and (alone or look.all_s > 0)


def _log_es(look: Look, margin: Margin, phi: float, *, harm: bool) -> list[float]:
    grid = HARM if harm else PROOF
    if margin.odds_ratio is not None:
        return odds_evidence(look, grid, margin.odds_ratio, phi)
    return rate_evidence(look, grid, margin.rate, phi)


def _whole(state: KpiEvidence, look: Look, margin: Margin) -> tuple[Look, float, float]:
    """Return the look to count, and the failures carried to the next one.

    The odds-ratio kernel needs whole counts with no more failures than trials; failures of tasks that began before
    this look wait for the next one's trials.
    """
    if margin.odds_ratio is None:
        return look, 0.0, 0.0
    bad_c, bad_s = look.bad_c + state.carried_c, look.bad_s + state.carried_s
    now_c, now_s = min(bad_c, float(int(look.all_c))), min(bad_s, float(int(look.all_s)))
    counted = Look(float(int(now_c)), float(int(look.all_c)), float(int(now_s)), float(int(look.all_s)))
    return counted, bad_c - counted.bad_c, bad_s - counted.bad_s


def _frozen_limit(bound: float, margin: Margin) -> float:
    if margin.odds_ratio is not None:
        return scale_odds(bound, margin.odds_ratio)
    return min(1.0, margin.rate.ratio * bound + margin.rate.excess)


def frozen(evidence: Mapping[str, KpiEvidence], settings: Evidence) -> dict[str, KpiEvidence]:
    """Fix each KPI's reference for the time when all traffic is on the candidate."""
    return {
        name: state.model_copy(
            update={
                "frozen_bound": upper_bound(state.bad_s, state.all_s, FROZEN_MISS, dispersion(state, settings)),
                "dispersion": state.dispersion.interrupted(),
            }
        )
        for name, state in evidence.items()
    }


def interrupted(evidence: Mapping[str, KpiEvidence]) -> dict[str, KpiEvidence]:
    """Return the evidence at a change of weight: nothing is lost, but dispersion is not compared across it."""
    return {
        name: state.model_copy(update={"dispersion": state.dispersion.interrupted(), "idle_s": 0.0, "seen": False})
        for name, state in evidence.items()
    }


def judge(policy: PolicySpec, evidence: Mapping[str, KpiEvidence], thresholds: Thresholds) -> Judgement:
    """Join the KPIs: is the candidate worse, and which of them say so?"""
    voices: dict[str, Weighted] = {}
    environment = []
    for kpi in policy.kpis:
        state = evidence[kpi.name]
        if kpi.advisory:
            continue
        spoken = []
        if kpi.margin is not None:
            spoken.append(state.harm.e_value)
        if state.bound and state.stable_bound:
            if min(state.bound.e_value, state.stable_bound.e_value) >= thresholds.harm:
                environment.append(kpi.name)
            if state.stable_bound.e_value < thresholds.harm:
                spoken.append(state.bound.e_value)
        if spoken:
            voices[kpi.name] = Weighted(sum(spoken) / len(spoken), float(kpi.weight))
    harm_e = average(voices)
    return Judgement(harm_e, harm_e >= thresholds.harm, culprits(voices, thresholds.harm), tuple(environment))


def with_verdicts(
    policy: PolicySpec,
    evidence: Mapping[str, KpiEvidence],
    judgement: Judgement,
    thresholds: Thresholds,
    round_: Round,
) -> dict[str, KpiEvidence]:
    """Return the evidence with each KPI's verdict, by the precedence of one look."""
    judged = {}
    for kpi in policy.kpis:
        state = evidence[kpi.name]
        reading = round_.kpis.get(kpi.name)
        problem = "the source did not answer for it" if reading is None else reading.problem
        if judgement.worse and kpi.name in judgement.culprits:
            verdict = Verdict.WORSE
        elif problem:
            verdict = Verdict.SOURCE_ERROR
        elif state.idle_s >= NO_DATA_AFTER_S:
            verdict = Verdict.NO_DATA
        elif kpi.margin is not None and state.proof.e_value >= thresholds.proof:
            verdict = Verdict.ACCEPTABLE
        else:
            verdict = Verdict.UNDECIDED
        judged[kpi.name] = state.model_copy(update={"verdict": verdict, "problem": problem})
    return judged


def must_prove(policy: PolicySpec) -> tuple[Kpi, ...]:
    """Return the KPIs without whose proof nothing is promoted."""
    return tuple(kpi for kpi in policy.kpis if not kpi.advisory and kpi.margin is not None)


def split_after(
    split: TrafficEvidence, look: Look | None, wanted_bp: int, turns: int, elapsed_s: float
) -> TrafficEvidence:
    """Return the evidence about the split after one look's requests."""
    if look is None:
        return split
    share, everyone = wanted_bp / FULL_BP, look.all_c + look.all_s
    return TrafficEvidence(
        ratio=split.ratio.after(share, look.all_c, everyone, float(turns), elapsed_s),
        reached=split.reached.after(share, look.all_c, everyone, float(turns)),
    )


def split_restarted(split: TrafficEvidence) -> TrafficEvidence:
    """Return the evidence about the split at a change of weight."""
    return TrafficEvidence(ratio=split.ratio, reached=Reached())
