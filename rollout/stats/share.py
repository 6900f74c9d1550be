"""Is the traffic split what was asked for? Two questions, one counter.

`SampleRatio`: does the observed share of requests contradict the wanted one (sample-ratio mismatch)? Given n requests,
the candidate's count is binomial with the wanted share w; the odds are multiplied by R, mixed over R on both sides of a
tolerance band. Lindon & Malek (NeurIPS 2022) with a grid in place of the Dirichlet mixture, so that w may change at
any increment. It never rolls back: it blocks advance and promotion.

`Reached`: has the share *arrived*? Two e-values refute "at most half of what was asked" and "at least double".

Requests of one conversation stay together, so both are tempered by a conversation's length: counting 10 requests of
one session as 10 decisions of the router gave false alarms in every run tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p

from rollout.stats.mixture import Grid, Wealth, start
from rollout.stats.onesample import log_e, scale_odds

TOLERANCE = 1.10
"""Odds within this factor of the wanted ones count as right."""

MISMATCH = 1000.0
"""Evidence at which the split is called wrong (alpha = 0.001)."""

REACHED = 20.0
"""Evidence at which the share is called arrived."""

_FACTORS = (1.25, 1.5, 2.0, 4.0)
GRID = Grid(bets=(*_FACTORS, *(1.0 / factor for factor in _FACTORS)), prior=(0.125,) * 8)


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Evidence, over the whole rollout, that the route does not split as written."""

    wealth: Wealth = start(GRID, restarts=True)

    @property
    def mismatched(self) -> bool:
        return self.wealth.e_value >= MISMATCH

    def after(self, share: float, candidate: float, everyone: float, turns: float, elapsed_s: float) -> SampleRatio:
        """Return the state after an increment with `candidate` of `everyone`'s requests where `share` was wanted."""
        if everyone <= 0 or not 0.0 < share < 1.0:
            return self
        above, below = scale_odds(share, TOLERANCE), scale_odds(share, 1.0 / TOLERANCE)
        logs = [log_e(candidate, everyone, above if bet > 1.0 else below, bet, turns) for bet in GRID.bets]
        return SampleRatio(self.wealth.after(GRID, logs, elapsed_s))


@dataclass(frozen=True, slots=True)
class Reached:
    """Evidence, since the last change of weight, that the wanted share has arrived.

    Attributes:
        above: log evidence against "at most half".
        below: log evidence against "at least double".
    """

    above: float = 0.0
    below: float = 0.0
    candidate: float = 0.0
    everyone: float = 0.0

    @property
    def share(self) -> float | None:
        """The observed share since the last change of weight, between 0 and 1."""
        return self.candidate / self.everyone if self.everyone > 0 else None

    @property
    def confirmed(self) -> bool:
        """Whether the share is proved to lie between half and double of what was asked."""
        return min(self.above, self.below) >= log(REACHED)

    @property
    def refuted(self) -> bool:
        """Whether half or double of what was asked fits the requests so much better that the split is wrong."""
        return min(self.above, self.below) <= -log(MISMATCH)

    def after(self, share: float, candidate: float, everyone: float, turns: float) -> Reached:
        """Return the state after an increment with `candidate` of `everyone`'s requests where `share` was wanted."""
        if everyone <= 0 or share <= 0.0:
            return self
        above = _log_ratio(candidate, everyone, min(share, _ALMOST_ALL), share / 2.0) / turns
        below = _log_ratio(candidate, everyone, share, min(2.0 * share, (1.0 + share) / 2.0)) / turns
        return Reached(
            self.above + above,
            self.below + (below if share < 1.0 else above),
            self.candidate + candidate,
            self.everyone + everyone,
        )


_ALMOST_ALL = 0.98
"""Close to 100 % the last requests of the old version still come in: a few of them do not say that half is missing.

Only there: whether the other version gets half of its own share is asked of the share as it is. Clipped as well, 99 %
that was asked and seen would look more like 99.5 % than like what was asked.
"""


def _log_ratio(candidate: float, everyone: float, wanted: float, other: float) -> float:
    """Return the log likelihood ratio of one share to another."""
    other = min(other, 1.0 - 1e-9)
    wanted = min(wanted, 1.0 - 1e-9)
    others = everyone - candidate
    return candidate * log(wanted / other) + others * (log1p(-wanted) - log1p(-other))
