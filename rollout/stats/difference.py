"""A confidence sequence for the difference of two rates, p_c - p_s: valid at every time at once.

With ratio 1 the two-sample e-value of an increment is exp(a - d b),
a = bad_c log s(h_c) + bad_s log s(h_s), b = all_c h_c, where d is the difference under test. Over a grid of bets

    E(d) = sum of prior_R * exp(A_R - d B_R)

is monotone in d, so that every d with E(d) >= 2/miss is refuted and the rest is an interval (duality; Howard, Ramdas,
McAuliffe & Sekhon 2021). Bets above 1 give the lower end, bets below 1 the upper one. Two sums a bet are all it keeps.
While the weight is steady it covers the average difference over the candidate's requests: "excess failures per
request". Over several weights each increment counts by its all_c * h_c.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

from rollout.stats.twosample import Increment, logs_by_excess

_UP = (1.1, 1.3, 1.7, 2.5, 5.0, 15.0)
_DOWN = (0.9, 0.75, 0.55, 0.35, 0.15, 0.03)
_NONE = (0.0,) * len(_UP)
_STEPS_MAX = 60
_NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """The sums A and B for bets above and below 1."""

    up_a: tuple[float, ...] = _NONE
    up_b: tuple[float, ...] = _NONE
    down_a: tuple[float, ...] = _NONE
    down_b: tuple[float, ...] = _NONE

    def after(self, increment: Increment, phi: float) -> Difference:
        """Return the state after one increment; phi as for the two-sample kernel."""
        if not increment.is_comparison:
            return self
        up, down = logs_by_excess(increment, _UP, 1.0, phi), logs_by_excess(increment, _DOWN, 1.0, phi)
        return Difference(
            _added(self.up_a, [a for a, _ in up]),
            _added(self.up_b, [b for _, b in up]),
            _added(self.down_a, [a for a, _ in down]),
            _added(self.down_b, [b for _, b in down]),
        )

    def interval(self, miss: float) -> tuple[float, float]:
        """Return (low, high) of p_c - p_s; it misses the truth, at any time ever, with probability at most `miss`."""
        bar = log(2.0 / miss)
        return _edge(self.up_a, self.up_b, bar, -1.0), _edge(self.down_a, self.down_b, bar, 1.0)


def _added(sums: tuple[float, ...], more: list[float]) -> tuple[float, ...]:
    return tuple(before + now for before, now in zip(sums, more, strict=True))


def _edge(sums_a: tuple[float, ...], sums_b: tuple[float, ...], bar: float, start: float) -> float:
    """Return where what is refuted from `start` on ends; `start` itself if nothing is refuted.

    What one bet by itself refutes, with its share of the mixture, the mixture refutes too: steps begin there. The log
    of a mixture of exponentials is convex, so that Newton's steps never leave the side that is refuted.
    """
    alone = [(a - log(len(sums_a)) - bar) / b for a, b in zip(sums_a, sums_b, strict=True) if b * start < 0]
    difference = max([start, *alone]) if start < 0 else min([start, *alone])
    if abs(difference) >= 1.0 and difference * start < 0:
        return -start
    for _ in range(_STEPS_MAX):
        value, slope = _log_mixture(sums_a, sums_b, difference)
        if value <= bar or slope * start <= 0:
            break
        step = (value - bar) / slope
        difference -= step
        if abs(difference) >= 1.0:
            return -start
        if abs(step) < _NEAR:
            break
    return difference


def _log_mixture(sums_a: tuple[float, ...], sums_b: tuple[float, ...], difference: float) -> tuple[float, float]:
    """Return the log of the mixture, and its slope."""
    logs = [a - difference * b for a, b in zip(sums_a, sums_b, strict=True)]
    top = max(logs)
    total = fall = 0.0
    for value, b in zip(logs, sums_b, strict=True):
        share = exp(value - top)
        total += share
        fall += share * b
    return top + log(total / len(logs)), -fall / total
