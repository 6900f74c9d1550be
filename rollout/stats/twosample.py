"""The two-sample kernel: one increment's evidence that candidate and stable differ by more than a margin.

An *increment* is what the counters gained since the sample before: `bad_c` failures in `all_c` requests
of the candidate, `bad_s` in `all_s` of the stable version. The null hypothesis is

    p_c <= ratio * p_s + excess        (harm direction, bets R > 1)
    p_c >= ratio * p_s + excess        (non-inferiority, bets R < 1)

with p_s unknown and free to change from increment to increment, so whatever hits both versions cancels. For a bet R
and a dispersion phi (variance over mean of a count; J = (phi + 1) / 2 is a cluster's mean size):

    D   = R * ratio * all_c + all_s
    h_c = (R - 1) * all_s / (phi * D)          h_s = -(R - 1) * ratio * all_c / (phi * D)
    s(h) = (1 + h J) / (1 + h (J - 1))
    e   = s(h_c)^bad_c * s(h_s)^bad_s * exp(-excess * all_c * h_c)

E[e] <= 1 under the null, for independent (not identical) trials, for Poisson counts and for geometric clusters
of mean at most J, because E[s(h)^x] <= exp(n p h) and all_s h_s = -ratio * all_c * h_c. Only the increment's average
rates must satisfy the null.

For phi = 1 and excess = 0 this is the conditional binomial likelihood ratio of Lindon & Malek, "Anytime-valid
inference for multinomial count data" (NeurIPS 2022), with the realised exposure in place of a known
assignment probability; the cluster-robust form is this project's own (see docs/statistics.md for the proof).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log1p

COUNT_MIN, COUNT_MAX = 1e-9, 1e15
"""Counts of outcomes lie between these, or are none: outside, floating point has no digits left to compute with."""


@dataclass(frozen=True, slots=True)
class Increment:
    """Increments of one increment: failures and trials of the candidate (c) and of the stable version (s).

    What is no count (negative, not a number, smaller than any outcome) counts as none.
    """

    bad_c: float
    all_c: float
    bad_s: float
    all_s: float

    def __post_init__(self) -> None:
        for name in ("bad_c", "all_c", "bad_s", "all_s"):
            value = getattr(self, name)
            sane = min(value, COUNT_MAX) if value >= COUNT_MIN else 0.0
            if sane != value:
                object.__setattr__(self, name, sane)

    @property
    def bad(self) -> float:
        return self.bad_c + self.bad_s

    @property
    def is_comparison(self) -> bool:
        """Whether both versions were used: otherwise the increment says nothing about their difference."""
        return self.all_c > 0 and self.all_s > 0


@dataclass(frozen=True, slots=True)
class RateMargin:
    """How much worse is still the same: p_c against ``ratio * p_s + excess`` (rates between 0 and 1)."""

    ratio: float = 1.0
    excess: float = 0.0


def log_e(increment: Increment, bet: float, margin: RateMargin, phi: float) -> float:
    """Return the natural logarithm of one increment's e-value for one bet.

    Args:
        bet: the rate ratio bet on, above 1 for harm, below 1 for non-inferiority.
        phi: dispersion, at least 1, fixed before the increment. Too large costs only speed.
    """
    ((gain, price),) = logs_by_excess(increment, (bet,), margin.ratio, phi)
    return gain - margin.excess * price


def logs_by_excess(increment: Increment, bets: Sequence[float], ratio: float, phi: float) -> list[tuple[float, float]]:
    """Return (a, b) for each bet: with an excess d the natural logarithm of the increment's e-value is a - d b.

    All bets in one loop: a controller spends a tenth of its time here.
    """
    bad_c, all_c, bad_s, all_s = increment.bad_c, increment.all_c, increment.bad_s, increment.all_s
    if not (all_c > 0 and all_s > 0):
        return [(0.0, 0.0)] * len(bets)
    expected, size = ratio * all_c, (phi + 1.0) / 2.0
    logs = []
    for bet in bets:
        spread = phi * (bet * expected + all_s)
        h_c, h_s = (bet - 1.0) * all_s / spread, (1.0 - bet) * expected / spread
        if phi == 1.0:
            gain = bad_c * log1p(h_c) + bad_s * log1p(h_s)
        else:
            gain = bad_c * log((1.0 + h_c * size) / (1.0 + h_c * (size - 1.0)))
            gain += bad_s * log((1.0 + h_s * size) / (1.0 + h_s * (size - 1.0)))
        logs.append((gain, all_c * h_c))
    return logs
