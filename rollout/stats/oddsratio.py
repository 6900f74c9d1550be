"""The hypergeometric kernel, for failure rates above about 20 % (task success of an agent, judged answers).

Given an increment's trials and its total of m failures, the candidate's share x of them is Fisher-noncentral
hypergeometric with the odds ratio psi of the two versions, whatever their common rate is:

    P(x) = C(n_c, x) C(n_s, m - x) psi^x / Z(psi)          Z(psi) = sum over x of C(n_c, x) C(n_s, m - x) psi^x

H0: psi <= psi_0 (the margin). For a bet R the alternative is psi_1 = R psi_0, and

    e = (psi_1 / psi_0)^x * Z(psi_0) / Z(psi_1)

The ratio is monotone in psi, so R > 1 tests harm and R < 1 the reverse null. Exact and fully efficient at any rate;
compare Turner, Ly & Grunwald, "Generic E-variables for exact sequential k-sample tests", JSPI 230 (2024).
"""

from __future__ import annotations

from math import lgamma, log

from rollout.stats.mixture import Grid
from rollout.stats.twosample import Increment

_NEGLIGIBLE = 1e-18
"""Terms this small beside the largest do not change a double's sum."""


def odds_evidence(increment: Increment, grid: Grid, ratio: float, phi: float) -> list[float]:
    """Return the increment's log e-values over a grid of bets against an odds ratio of at most (least) `ratio`.

    Counts are rounded to whole numbers; failures beyond the trials are the caller's error.
    """
    all_c, all_s = round(increment.all_c), round(increment.all_s)
    bad_c, failures = round(increment.bad_c), round(increment.bad_c) + round(increment.bad_s)
    if bad_c > all_c or failures - bad_c > all_s:
        raise ValueError(f"more failures than trials in {increment}")
    if all_c == 0 or all_s == 0 or failures == 0:
        return [0.0] * len(grid.bets)
    null = log_normaliser(all_c, all_s, failures, ratio)
    return [(bad_c * log(bet) + null - log_normaliser(all_c, all_s, failures, bet * ratio)) / phi for bet in grid.bets]


def log_normaliser(all_c: int, all_s: int, failures: int, psi: float) -> float:
    """Return log Z(psi), summed outwards from the largest term until terms no longer count."""
    low, high = max(0, failures - all_s), min(all_c, failures)
    mode = _mode(all_c, all_s, failures, psi, low, high)
    total = 1.0
    term, x = 1.0, mode
    while x < high and term > _NEGLIGIBLE:
        term *= _step(all_c, all_s, failures, psi, x)
        total += term
        x += 1
    term, x = 1.0, mode
    while x > low and term > _NEGLIGIBLE:
        x -= 1
        term /= _step(all_c, all_s, failures, psi, x)
        total += term
    return _log_choose(all_c, mode) + _log_choose(all_s, failures - mode) + mode * log(psi) + log(total)


def _step(all_c: int, all_s: int, failures: int, psi: float, x: int) -> float:
    """Return P(x + 1) / P(x)."""
    return psi * (all_c - x) * (failures - x) / ((x + 1) * (all_s - failures + x + 1))


def _mode(all_c: int, all_s: int, failures: int, psi: float, low: int, high: int) -> int:
    """Return the most likely x: the ratio of neighbours falls with x, so halving finds where it crosses 1."""
    while low < high:
        middle = (low + high) // 2
        if _step(all_c, all_s, failures, psi, middle) >= 1.0:
            low = middle + 1
        else:
            high = middle
    return low


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
