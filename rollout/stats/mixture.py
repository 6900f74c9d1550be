"""An e-process: evidence over many increments, as the wealth of a gambler who bets against the null hypothesis.

The wealth is spread over a grid of bets (an average of e-processes is an e-process) and, with restarts, over
start times: 70 % is bet at once, the rest is kept as cash and released as cash(t) = 0.3 tau / (t + tau),

    S_R <- (S_R + released * prior_R) * e_R          E = cash + sum of S_R

so that a regression which begins late is still found. This is the recursion of e-detectors (Shin, Ramdas and
Rinaldo, NEJSDS 2024), kept a proper e-process because the start weights sum to one.

By Ville's inequality P(E ever reaches 1/alpha) <= alpha under the null, however often and however long one reads.
One increment may take E to at most five times max(E, 1); the surplus is thrown away, which keeps E an e-process and
makes one misaligned scrape harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from rollout.stats.twosample import Increment, RateMargin, logs_by_excess

RAISE_PER_LOOK = 5.0
"""One increment may multiply the evidence at most by this."""

RESTART_SHARE = 0.3
RESTART_TAU_S = 3600.0

WEALTH_MAX = 1e12
"""Beyond this nothing changes any more; it keeps a frozen rollout's numbers finite."""

_LOG_MAX = 60.0
"""One increment's log e-value is cut off here: far beyond what the cap lets through, and exp() stays finite."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Bets (rate ratios) and the share of the wealth that each begins with; the shares sum to one."""

    bets: tuple[float, ...]
    prior: tuple[float, ...]


HARM = Grid(
    bets=(1.125, 1.25, 1.5, 2.0, 3.0, 5.0, 9.0, 17.0, 33.0),
    prior=(0.05, 0.10, 0.15, 0.20, 0.20, 0.15, 0.10, 0.03, 0.02),
)
"""From "12 % worse" to "33 times as bad": loses at most a few nats to the best bet in hindsight."""

PROOF = Grid(
    bets=(0.85, 0.7, 0.57, 0.45, 0.33, 0.22, 0.12, 0.05, 0.01),
    prior=(0.10, 0.16, 0.16, 0.13, 0.10, 0.08, 0.08, 0.09, 0.10),
)
"""Bets that the candidate's rate is below the margin; the smallest are for agents that hardly ever fail."""

ODDS_HARM = Grid(
    bets=(1.2, 1.4, 1.6, 1.85, 2.2, 2.7, 3.5, 6.0, 12.0),
    prior=(0.06, 0.13, 0.17, 0.18, 0.17, 0.14, 0.09, 0.04, 0.02),
)
"""At failure rates above 20 % a regression is a matter of odds between 1.2 and 3, so the bets stand closer."""

ODDS_PROOF = Grid(bets=tuple(1.0 / bet for bet in ODDS_HARM.bets), prior=ODDS_HARM.prior)


@dataclass(frozen=True, slots=True)
class Wealth:
    """The state of one e-process: about ten floats, small enough for a resource's status.

    Attributes:
        stakes: wealth on each bet of the grid.
        cash: not yet bet.
        age_s: seconds since the first one.
        cut: whether the last increment would have raised it further than one increment may.
    """

    stakes: tuple[float, ...]
    cash: float = 0.0
    age_s: float = 0.0
    cut: bool = False

    @property
    def e_value(self) -> float:
        """Evidence against the null: 1 at the start, 20 refutes it at 5 %."""
        return self.cash + sum(self.stakes)

    def after(self, grid: Grid, log_es: Sequence[float], elapsed_s: float) -> Wealth:
        """Return the wealth after one increment.

        Args:
            grid: the one it was opened with.
            log_es: the increment's log e-value for each bet of it.
            elapsed_s: seconds since the increment before.
        """
        before = self.e_value
        age_s = self.age_s + max(0.0, elapsed_s)
        cash = self.cash
        if cash > 0.0:
            cash = min(cash, RESTART_SHARE * RESTART_TAU_S / (age_s + RESTART_TAU_S))
        released = self.cash - cash
        stakes = [
            (stake + released * share) * exp(min(log_e_of_bet, _LOG_MAX))
            for stake, share, log_e_of_bet in zip(self.stakes, grid.prior, log_es, strict=True)
        ]
        limit = min(RAISE_PER_LOOK * max(before, 1.0), WEALTH_MAX)
        cut = (total := sum(stakes)) + cash > limit
        if cut:
            scale = (limit - cash) / total
            stakes = [stake * scale for stake in stakes]
        return Wealth(tuple(stakes), cash, age_s, cut and limit < WEALTH_MAX)


def start(grid: Grid, *, restarts: bool) -> Wealth:
    """Open an e-process at evidence 1, with or without money kept back for late regressions."""
    cash = RESTART_SHARE if restarts else 0.0
    return Wealth(tuple((1.0 - cash) * share for share in grid.prior), cash)


def rate_evidence(increment: Increment, grid: Grid, margin: RateMargin, phi: float) -> list[float]:
    """Return the increment's log e-values over a grid, by the two-sample kernel."""
    return [gain - margin.excess * price for gain, price in logs_by_excess(increment, grid.bets, margin.ratio, phi)]
