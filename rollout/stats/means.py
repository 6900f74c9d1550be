"""Means of sums (cost, tokens): is the candidate's mean above `ratio` times stable's? A fallback, asymptotic.

Histogram buckets give rates, and rates have exact tests; from `_sum` and `_count` alone there is only the central limit
theorem. Outcomes are gathered into batches of at least `BATCH` in each arm; of each batch

    X = w (mean_c - ratio * mean_s) / scale          w = sqrt(n_c n_s / (n_s + ratio^2 n_c))

and for a bet L the e-value is exp(L X - L^2 X^2 / 2). For increments that are symmetric under the null its expectation
is at most 1 exactly, whatever their spread (de la Pena, "A general class of exponential inequalities", 1999); means of
many outcomes are nearly symmetric, whence *asymptotic*. What hits both versions alike cancels within the batch. The
mirror, with bets below 0, tests the reverse null.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, inf, log, sqrt

from rollout.stats.mixture import Grid
from rollout.stats.twosample import Increment

BATCH = 30.0
"""Fewer outcomes than this in either arm are not compared yet: heavy tails need company."""

MEANS_HARM = Grid(bets=(0.1, 0.2, 0.4, 0.7, 1.1, 1.6), prior=(0.2, 0.2, 0.2, 0.2, 0.1, 0.1))
MEANS_PROOF = Grid(bets=tuple(-bet for bet in MEANS_HARM.bets), prior=MEANS_HARM.prior)

SCALE_FROM = 5
"""The first batches only set the scale: measured by one batch, the next one may look like anything."""

SCALE_MEMORY = 50
"""The scale forgets what lies this many batches back."""

X_MAX = 3.0
"""No batch counts for more: what is symmetric stays so when it is cut at both sides, and one outlier proves nothing."""

INTERVAL_FROM = 10
"""No interval is given from fewer batches: their spread is not known yet."""

_RHO = 0.5
"""Tunes the asymptotic interval to be tight after some tens of batches."""

_LOG_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Batches:
    """The batch that is being gathered, and what the ones before were like.

    Attributes:
        pending: sums and counts since the last batch.
        count: batches so far.
        scale: running mean square of the weighted difference of means, which later batches are measured by.
        mean, m2: of the batches' log ratios of means (Welford).
    """

    pending: Increment = Increment(0.0, 0.0, 0.0, 0.0)
    count: int = 0
    scale: float = 0.0
    mean: float = 0.0
    m2: float = 0.0

    def after(self, increment: Increment) -> tuple[Batches, Increment | None]:
        """Return the state after one increment, and the batch that it completed, if it did. `bad` holds sums."""
        pending = Increment(
            self.pending.bad_c + increment.bad_c,
            self.pending.all_c + increment.all_c,
            self.pending.bad_s + increment.bad_s,
            self.pending.all_s + increment.all_s,
        )
        if min(pending.all_c, pending.all_s) < BATCH or min(pending.bad_c, pending.bad_s) <= 0:
            return replace(self, pending=pending), None
        count = self.count + 1
        square = _difference(pending, 1.0) ** 2
        if self.count >= SCALE_FROM:
            square = min(square, X_MAX**2 * self.scale)
        relative = log((pending.bad_c / pending.all_c) / (pending.bad_s / pending.all_s))
        mean = self.mean + (relative - self.mean) / count
        m2 = self.m2 + (relative - self.mean) * (relative - mean)
        scale = self.scale + (square - self.scale) / min(count, SCALE_MEMORY)
        return Batches(Increment(0.0, 0.0, 0.0, 0.0), count, scale, mean, m2), pending

    def interrupted(self) -> Batches:
        """Return the state at a change of weight: what was gathered at the old one is not compared."""
        return replace(self, pending=Increment(0.0, 0.0, 0.0, 0.0))

    def log_es(self, batch: Increment, ratio: float, grid: Grid) -> list[float]:
        """Return a batch's log e-values, measured by the batches *before* it; zeros for the first few."""
        if self.count < SCALE_FROM or self.scale <= 0.0:
            return [0.0] * len(grid.bets)
        x = max(-X_MAX, min(_difference(batch, ratio) / sqrt(self.scale), X_MAX))
        return [bet * x - bet * bet * x * x / 2.0 for bet in grid.bets]

    def interval(self, miss: float) -> tuple[float, float]:
        """Return (low, high) of mean_c / mean_s - 1: an asymptotic confidence sequence over the batches.

        Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory" (2021), theorem 2.2.
        """
        if self.count < INTERVAL_FROM:
            return -1.0, inf
        n, rho2 = float(self.count), _RHO**2
        spread = sqrt(self.m2 / (n - 1.0))
        width = spread * sqrt(2.0 * (n * rho2 + 1.0) / (n * n * rho2) * log(sqrt(n * rho2 + 1.0) / miss))
        return exp(self.mean - width) - 1.0, exp(min(self.mean + width, _LOG_MAX)) - 1.0


def _difference(batch: Increment, ratio: float) -> float:
    """Return the weighted difference of means; the weight evens out batches of unequal size."""
    mean_c, mean_s = batch.bad_c / batch.all_c, batch.bad_s / batch.all_s
    weight = sqrt(batch.all_c * batch.all_s / (batch.all_s + ratio * ratio * batch.all_c))
    return weight * (mean_c - ratio * mean_s)
