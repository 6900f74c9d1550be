"""How much traffic will evidence need? Asked before a rollout starts, so that nobody waits for the impossible.

If candidate and stable fail equally often (rate p), each candidate request adds on average g(R) nats to the evidence
that the margin holds, for the bet R:

    g(R) = p log s(h_c) + (p log s(h_s)) / k - excess h_c            k = candidate requests per stable request

and evidence 1/miss is reached after about log(1 / (miss prior_R)) / g(R) of them, for the best bet of the grid.
An expectation, on the safe side: simulated medians are 15 to 70 % lower.
"""

from __future__ import annotations

from math import inf, log

from rollout.stats.mixture import PROOF
from rollout.stats.twosample import Increment, RateMargin, log_e


def promotion_requests(rate: float, margin: RateMargin, share: float, miss: float, phi: float = 1.0) -> float:
    """Return the candidate requests needed to prove non-inferiority; infinite where the margin leaves no room.

    Args:
        rate: the expected failure rate of both versions.
        share: the candidate's share of the traffic, between 0 and 1.
        miss: the false-promotion rate.
        phi: the expected dispersion.
    """
    if not 0.0 < share < 1.0:
        return inf
    others = (1.0 - share) / share
    expected = Increment(bad_c=rate, all_c=1.0, bad_s=rate * others, all_s=others)
    needed = inf
    for bet, prior in zip(PROOF.bets, PROOF.prior, strict=True):
        gain = log_e(expected, bet, margin, phi)
        if gain > 0.0:
            needed = min(needed, log(1.0 / (miss * prior)) / gain)
    return needed
