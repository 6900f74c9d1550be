"""Several KPIs, one decision.

Harm is declared when the weighted average of the KPIs' e-values reaches 1/alpha: an average of e-values is an e-value
under any dependence between them (Vovk & Wang, "E-values: calibration, combination and applications", Annals of
Statistics 2021). Never worse than a weighted Bonferroni, often better.

*Naming* culprits is another question, answered by a closed test: a set A is named ("at least one of these is harmed")
when every weighted average over a set that contains A reaches 1/alpha. For averages that condition is one sum:

    sum over A of w (e - 1/alpha)  +  sum over the rest of min(0, w (e - 1/alpha))  >=  0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Weighted:
    """One KPI's e-value and the weight of its voice."""

    e_value: float
    weight: float


def average(kpis: Mapping[str, Weighted]) -> float:
    """Return the weighted average of the e-values; 1 (no evidence) without any."""
    weight = sum(kpi.weight for kpi in kpis.values())
    return sum(kpi.e_value * kpi.weight for kpi in kpis.values()) / weight if weight > 0 else 1.0


def culprits(kpis: Mapping[str, Weighted], threshold: float) -> tuple[str, ...]:
    """Return the KPIs that are named, most evident first; empty while the average is below `threshold`.

    Either each of them is harmed by itself, or, where no single one can be named, they are the smallest set of which
    at least one is.
    """
    if average(kpis) < threshold:
        return ()
    surplus = {name: kpi.weight * (kpi.e_value - threshold) for name, kpi in kpis.items()}
    ranked = sorted(surplus, key=lambda name: -surplus[name])
    deficit = sum(min(0.0, excess) for excess in surplus.values())
    alone = [name for name in ranked if surplus[name] >= 0.0 and surplus[name] + deficit >= 0.0]
    if alone:
        return tuple(alone)
    gathered = accumulate((surplus[name] for name in ranked), initial=deficit)
    count = next((count for count, total in enumerate(gathered) if count and total >= 0.0), len(ranked))
    return tuple(ranked[:count])
