"""Trying again, later and later: one back-off for everything that is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

_DOUBLINGS_MAX = 10


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `least_s` to `most_s`, stretched by up to `jitter` so that many do not come at once."""

    least_s: float
    most_s: float
    jitter: float = 1.0
    stretch: Callable[[float, float], float] = random.uniform

    def after_s(self, failures: int, least_s: float | None = None) -> float:
        """Return how long to wait after so many failures in a row.

        Args:
            least_s: another beginning than the usual one.
        """
        first_s = self.least_s if least_s is None else least_s
        doubled_s = first_s * 2.0 ** min(max(0, failures - 1), _DOUBLINGS_MAX)
        return min(self.most_s, doubled_s) * self.stretch(1.0, self.jitter)
