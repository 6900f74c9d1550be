"""The one-sample test: is a rate above (or below) a fixed bound?

H0: p <= bound. With q the rate whose odds are R times those of the bound,

    e = (q / bound)^bad * ((1 - q) / (1 - bound))^(all - bad)

is a binomial likelihood ratio, an e-value for R > 1, and for R < 1 one against p >= bound (Wald 1945, Robbins
1970; Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 2024).
For dispersed counts the e-value is tempered, e^(1/phi): by Jensen's inequality always an e-value for independent
trials, and approximately one under dispersion phi.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, log1p, sqrt

from rollout.stats.mixture import HARM, PROOF, Grid

ROOT_STEPS_MAX = 60
ROOT_TOLERANCE = 1e-6
"""Relative: a bound that is this much too high is still a bound."""

_SMALLEST = 1e-9
"""Bounds are kept this far from 0 and 1, where the likelihood ratio has no value."""


def clamp(rate: float) -> float:
    """Keep a rate inside (0, 1)."""
    return min(max(rate, _SMALLEST), 1.0 - _SMALLEST)


def scale_odds(rate: float, factor: float) -> float:
    """Return the rate whose odds are `factor` times those of `rate`."""
    odds = clamp(rate) / (1.0 - clamp(rate)) * factor
    return odds / (1.0 + odds)


def log_e(bad: float, trials: float, bound: float, bet: float, phi: float) -> float:
    """Return the log e-value against ``p <= bound`` (bet > 1) or ``p >= bound`` (bet < 1)."""
    bound = clamp(bound)
    alternative = clamp(scale_odds(bound, bet))
    good = max(0.0, trials - bad)
    return (bad * log(alternative / bound) + good * (log1p(-alternative) - log1p(-bound))) / phi


def bound_evidence(bad: float, trials: float, bound: float, phi: float, grid: Grid = HARM) -> list[float]:
    """Return the increment's log e-values against ``p <= bound`` over a grid of bets."""
    return [log_e(bad, trials, bound, bet, phi) for bet in grid.bets]


def upper_bound(bad: float, trials: float, miss: float, phi: float) -> float:
    """Return a bound that the true rate exceeds with probability at most `miss`, at any time one reads it.

    The smallest bound that the mixture over `PROOF` refutes; 1.0 while there is too little data for any.
    """
    needed = log(1.0 / miss)

    def excess(bound: float) -> float:
        return _log_mixture(bad, trials, bound, phi) - needed

    if trials <= 0 or excess(1.0) < 0.0:
        return 1.0
    rate = min(bad / trials, 1.0)
    spread = phi * needed / trials
    return _first_refuted(excess, rate, max(_SMALLEST, sqrt(2.0 * rate * (1.0 - rate) * spread) + spread))


def _first_refuted(excess: Callable[[float], float], low: float, step: float) -> float:
    """Return where an increasing function turns positive above `low`, from its positive side; it is positive at 1.

    Args:
        step: about how far away that is. Regula falsi with the Illinois rule (Dowell & Jarratt 1971): a preview bounds
            its reference at each turn, and bisection took 60 evaluations for it where this takes 14 at most (1,500
            random counts).
    """
    high = min(1.0, low + step)
    below, above = excess(low), excess(high)
    while above < 0.0:  # ends at 1, where it is positive
        low, below, step = high, above, 2.0 * step
        high = min(1.0, low + step)
        above = excess(high)
    side = 0
    for _ in range(ROOT_STEPS_MAX):
        if high - low <= ROOT_TOLERANCE * high:
            break
        middle = (low * above - high * below) / (above - below)
        surplus = excess(middle)
        if surplus >= 0.0:
            high, above, below, side = middle, surplus, below / 2.0 if side > 0 else below, 1
        else:
            low, below, above, side = middle, surplus, above / 2.0 if side < 0 else above, -1
    return high


def _log_mixture(bad: float, trials: float, bound: float, phi: float) -> float:
    logs = bound_evidence(bad, trials, bound, phi, PROOF)
    top = max(logs)
    return top + log(sum(share * exp(value - top) for share, value in zip(PROOF.prior, logs, strict=True)))
