"""Dispersion phi: how much more a count varies than independent requests would make it (variance over mean).

Retries and bad sessions make failures arrive in clusters; assuming phi = 1 breaks the bound on
false rollbacks. Two sources, best first:

* `from_history`: the stable version's own past, instance by instance. Given an increment's m failures, instance j
  should see m w_j of them, w_j its share of the requests:  phi = sum (x_j - m w_j)^2 / sum m (1 - sum w_j^2).
* `Dispersion`, on line: the candidate's share of the failures in one block of increments against the block before
  (successive differences, von Neumann 1941), so that neither a regression nor its onset is taken for noise.
  Shrunk to a prior of 2 that is worth ten blocks, because a rollout begins knowing nothing.

Neither is ever below 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollout.stats.twosample import Increment

PRIOR_PHI = 2.0
PRIOR_BLOCKS = 10.0
BLOCK_FAILURES = 5.0
"""Increments are pooled until a block holds this many failures: below, a cluster cannot be told from its absence."""
HISTORY_FAILURES = 50.0
"""With fewer failures in the whole history, phi is unknowable and the prior serves."""


@dataclass(frozen=True, slots=True)
class Block:
    """The candidate's failures and all failures in a run of increments under one and the same weight."""

    bad_c: float = 0.0
    bad: float = 0.0


@dataclass(frozen=True, slots=True)
class Dispersion:
    """The on-line estimate's state. `phi` uses only increments already seen: it is fixed before the next one."""

    excess: float = 0.0
    expected: float = 0.0
    blocks: float = 0.0
    last: Block | None = None
    filling: Block = Block()

    @property
    def phi(self) -> float:
        """The estimate, shrunk to the prior, at least 1."""
        measured = self.excess / self.expected if self.expected > 0 else 0.0
        return max(1.0, (self.blocks * measured + PRIOR_BLOCKS * PRIOR_PHI) / (self.blocks + PRIOR_BLOCKS))

    def after(self, increment: Increment) -> Dispersion:
        """Return the state after one more increment under the same weight."""
        if not increment.is_comparison:
            return self
        filling = Block(self.filling.bad_c + increment.bad_c, self.filling.bad + increment.bad)
        if filling.bad < BLOCK_FAILURES:
            return Dispersion(self.excess, self.expected, self.blocks, self.last, filling)
        if self.last is None:
            return Dispersion(self.excess, self.expected, self.blocks, filling, Block())
        squared, variance = _successive_difference(self.last, filling)
        blocks = self.blocks + (1.0 if variance > 0 else 0.0)
        return Dispersion(self.excess + squared, self.expected + variance, blocks, filling, Block())

    def interrupted(self) -> Dispersion:
        """Return the state when the weight changes: blocks on either side of it must not be compared."""
        return Dispersion(self.excess, self.expected, self.blocks, None, Block())


def _successive_difference(first: Block, second: Block) -> tuple[float, float]:
    """Return the squared surprise at the second block given both, and its variance if requests were independent."""
    failures = first.bad + second.bad
    share = (first.bad_c + second.bad_c) / failures
    expected = second.bad * share
    # Var(x2 | x1 + x2) of two binomials with one p; the last factor undoes that p is estimated from both.
    variance = first.bad * second.bad / failures * share * (1.0 - share) * failures / (failures - 1.0)
    return (second.bad_c - expected) ** 2, variance


def from_history(increments: Iterable[Sequence[tuple[float, float]]]) -> float:
    """Return phi from the stable version's past: per increment the (failures, requests) of each instance.

    Increments with a single instance or without failures say nothing; too few failures in all give the prior.
    """
    squared = expected = failures = 0.0
    for instances in increments:
        trials = sum(all_ for _, all_ in instances)
        bad = sum(bad for bad, _ in instances)
        if trials <= 0 or bad <= 0:
            continue
        shares = [all_ / trials for _, all_ in instances]
        squared += sum((x - bad * w) ** 2 for (x, _), w in zip(instances, shares, strict=True))
        expected += bad * (1.0 - sum(w * w for w in shares))
        failures += bad
    if failures < HISTORY_FAILURES or expected <= 0:
        return PRIOR_PHI
    return max(1.0, squared / expected)
