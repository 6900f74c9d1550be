"""One KPI for people: is it worse, is it proved, and how far is it from either?"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Literal

from rollout.engine import messages
from rollout.model.status.judged import JudgedKpi

Tone = Literal["good", "bad", "wait", "none"]
"""good: as it should be. bad: harm. wait: somebody must act, or data is missing. none: nothing to say yet."""

_TONES: dict[str, Tone] = {"worse": "bad", "acceptable": "good", "no-data": "wait", "source-error": "wait"}


@dataclass(frozen=True, slots=True)
class KpiView:
    """One KPI.

    Attributes:
        worse, proved: answers in plain words.
        candidate, stable: rates or means, with their counts.
        harm_done, proof_done: how far the evidence has come, 0 to 1; None where nothing is asked for.
    """

    name: str
    judged: JudgedKpi
    tone: Tone
    verdict: str
    worse: str
    proved: str
    candidate: str
    stable: str
    difference: str
    harm_done: float
    proof_done: float | None


def view(name: str, kpi: JudgedKpi, harm_needed_e: float, proof_needed_e: float) -> KpiView:
    """Return a KPI as people see it.

    Args:
        harm_needed_e: the evidence at which the candidate is rolled back.
        proof_needed_e: the evidence at which it counts as proved no worse.
    """
    counted = kpi.figures
    shown = messages.mean if counted.asymptotic else messages.rate
    proof_done = None if kpi.proof_limit is None or kpi.advisory else done(counted.proof_e, proof_needed_e)
    return KpiView(
        name=name,
        judged=kpi,
        tone="none" if kpi.advisory else _TONES.get(counted.verdict, "none"),
        verdict="advisory" if kpi.advisory else counted.verdict,
        worse=_worse(kpi, harm_needed_e),
        proved=_proved(counted.verdict, proof_done, advisory=kpi.advisory),
        candidate=shown(counted.bad_c, counted.all_c) if counted.all_c > 0 else "no outcomes yet",
        stable=shown(counted.bad_s, counted.all_s) if counted.all_s > 0 else "no outcomes yet",
        difference=_difference(kpi),
        harm_done=done(counted.harm_e, harm_needed_e),
        proof_done=proof_done,
    )


def done(e_value: float, needed: float) -> float:
    """Return how far evidence has come, 0 to 1, on the scale on which it grows: the logarithm."""
    if needed <= 1.0 or e_value <= 1.0:
        return 0.0
    return min(1.0, log(e_value) / log(needed))


def _worse(kpi: JudgedKpi, harm_needed_e: float) -> str:
    """Answer in plain words. Harm is decided over all KPIs together: one that stands out alone is suspected first."""
    match kpi.figures.verdict:
        case "worse":
            return "yes"
        case "no-data":
            return "no data"
        case "source-error":
            return "unreadable"
        case _ if not kpi.figures.all_c:
            return "not known"
        case _:
            return "suspected" if kpi.figures.harm_e >= harm_needed_e > 0 else "no"


def _proved(verdict: str, proof_done: float | None, *, advisory: bool) -> str:
    if proof_done is None:
        return "advisory" if advisory else "not asked for"
    if verdict == "acceptable" or proof_done >= 1.0:
        return "yes"
    return f"{int(proof_done * 100)} %"


def _difference(kpi: JudgedKpi) -> str:
    if kpi.low is None or kpi.high is None:
        return "nothing compared yet"
    if kpi.scale == "rate":
        return f"{messages.percent(kpi.low)} to {messages.percent(kpi.high)} (candidate only)"
    return messages.between(kpi.low, kpi.high, relative=kpi.scale == "relative")
