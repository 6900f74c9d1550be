"""Do both versions yield outcomes equally often? Feedback is given by those who care to; if one version makes more
people speak up, the rates of complaints cannot be compared.

Two e-processes, by the two-sample kernel: the candidate's share of answered tasks is more than `TOLERANCE` times
stable's, and the other way round. Their average is an e-process against "about equally often". Like the check of the
split it never rolls back: it takes the KPI's voice away until a human has seen it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.stats.mixture import HARM, Wealth, rate_evidence, start
from rollout.stats.twosample import Increment, RateMargin

TOLERANCE = RateMargin(1.25)
"""One version's users may respond this much more often than the other's."""

DOUBT = 5.0
"""Evidence at which the KPI falls silent for as long as it lasts: harm must not be quicker than this check."""

DIFFER = 100.0
"""Evidence at which nothing passes on this KPI any more (alpha = 0.01)."""


@dataclass(frozen=True, slots=True)
class Responses:
    """Evidence that more, or fewer, of the candidate's tasks are answered; and how many were."""

    more: Wealth = start(HARM, restarts=True)
    fewer: Wealth = start(HARM, restarts=True)
    total: Increment = Increment(0.0, 0.0, 0.0, 0.0)

    @property
    def e_value(self) -> float:
        """Evidence that both versions do not yield outcomes equally often."""
        return (self.more.e_value + self.fewer.e_value) / 2.0

    @property
    def doubtful(self) -> bool:
        return self.e_value >= DOUBT

    @property
    def differ(self) -> bool:
        return self.e_value >= DIFFER

    def after(self, increment: Increment, phi: float, elapsed_s: float) -> Responses:
        """Return the state after a increment: `bad` counts the outcomes given, `all` what they could be given for."""
        mirrored = Increment(increment.bad_s, increment.all_s, increment.bad_c, increment.all_c)
        total = Increment(
            self.total.bad_c + increment.bad_c,
            self.total.all_c + increment.all_c,
            self.total.bad_s + increment.bad_s,
            self.total.all_s + increment.all_s,
        )
        return Responses(
            self.more.after(HARM, rate_evidence(increment, HARM, TOLERANCE, phi), elapsed_s),
            self.fewer.after(HARM, rate_evidence(mirrored, HARM, TOLERANCE, phi), elapsed_s),
            total,
        )
