"""From evidence to verdicts: is the candidate worse, which KPIs say so, and which are proved?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.engine.analysis.evidence import harm_evidence
from rollout.model.api.kpi import Kpi
from rollout.model.api.policy import Evidence, PolicySpec
from rollout.model.status.evidence import KpiEvidence, KpiVerdict
from rollout.model.units import FULL_BP
from rollout.stats import Weighted, average, culprits

if TYPE_CHECKING:
    from rollout.engine.facts import Round

NO_DATA_AFTER_S = 600.0
"""No outcomes from one of the versions for this long is `no-data`; before, it is just little traffic."""


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
    """What all KPIs say together.

    Attributes:
        environment: KPIs whose bound both versions break.
    """

    harm_e: float
    worse: bool
    culprits: tuple[str, ...]
    environment: tuple[str, ...]


def judge_all(policy: PolicySpec, evidence: Mapping[str, KpiEvidence], thresholds: Thresholds) -> Judgement:
    """Join the KPIs: is the candidate worse, and which of them say so?"""
    voices: dict[str, Weighted] = {}
    environment = []
    for kpi in policy.kpis:
        state = evidence[kpi.name]
        if kpi.advisory or _is_mute(state):
            continue
        judged = []
        if kpi.margin is not None:
            judged.append(harm_evidence(state))
        if state.bound and state.stable_bound:
            if min(state.bound.e_value, state.stable_bound.e_value) >= thresholds.harm:
                environment.append(kpi.name)
            if state.stable_bound.e_value < thresholds.harm:
                judged.append(state.bound.e_value)
        if judged:
            voices[kpi.name] = Weighted(sum(judged) / len(judged), float(kpi.weight))
    harm_e = average(voices)
    return Judgement(harm_e, harm_e >= thresholds.harm, culprits(voices, thresholds.harm), tuple(environment))


def with_verdicts(
    policy: PolicySpec,
    evidence: Mapping[str, KpiEvidence],
    judgement: Judgement,
    thresholds: Thresholds,
    round_: Round,
) -> dict[str, KpiEvidence]:
    """Return the evidence with each KPI's verdict, by the precedence of one sample."""
    judged = {}
    for kpi in policy.kpis:
        state = evidence[kpi.name]
        reading = round_.kpis.get(kpi.name)
        problem = "the source did not answer for it" if reading is None else reading.problem
        given = round_.responses.get(kpi.name)
        problem = problem or ("" if given is None else given.problem)
        if judgement.worse and kpi.name in judgement.culprits:
            verdict = KpiVerdict.WORSE
        elif problem:
            verdict = KpiVerdict.SOURCE_ERROR
        elif state.idle_s >= NO_DATA_AFTER_S:
            verdict = KpiVerdict.NO_DATA
        elif kpi.margin is not None and state.proof.e_value >= thresholds.proof and not _is_mute(state):
            verdict = KpiVerdict.ACCEPTABLE
        else:
            verdict = KpiVerdict.UNDECIDED
        judged[kpi.name] = state.changed(verdict=verdict, problem=problem)
    return judged


def _is_mute(state: KpiEvidence) -> bool:
    """Whether its outcomes may be given too differently by the two versions' users to be compared."""
    return state.responses is not None and state.responses.doubtful


def must_prove(policy: PolicySpec) -> tuple[Kpi, ...]:
    """Return the KPIs without whose proof nothing is promoted."""
    return tuple(kpi for kpi in policy.kpis if not kpi.advisory and kpi.margin is not None)
