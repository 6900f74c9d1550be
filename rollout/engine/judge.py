"""Judging two versions by what their counters gain, without a release around it."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine.analysis.evidence import CountedSample, after_sample
from rollout.engine.analysis.lifecycle import fresh
from rollout.engine.analysis.verdict import Judgement, Thresholds, judge_all, with_verdicts
from rollout.engine.facts import KpiReading, Round
from rollout.errors import Fault, InvalidInput
from rollout.model.api.policy import PolicySpec
from rollout.model.status.evidence import KpiEvidence
from rollout.stats import Increment


class Judge:
    """Compares a candidate with the stable version beside it, increment by increment.

    It may be asked after every increment: the error rates of the policy hold over all of them together (anytime-valid
    e-processes; docs/statistics.md). What it needs is that both versions serve at the same time, from the same users.
    """

    def __init__(self, policy: PolicySpec) -> None:
        self._policy = policy
        self._thresholds = Thresholds.of(policy.evidence, retries=0)
        self._evidence = fresh(policy)

    @property
    def evidence(self) -> Mapping[str, KpiEvidence]:
        """The evidence so far, by KPI: totals, e-values, verdict."""
        return self._evidence

    def add(self, increments: Mapping[str, Increment], elapsed_s: float) -> Judgement:
        """Take in what was gained since the last call, and return what all of it says.

        Args:
            increments: by the name of the KPI: bad and all outcomes of the candidate (c) and of stable (s).
            elapsed_s: seconds since the call before.

        Raises:
            InvalidInput: a name is no KPI of the policy.
        """
        names = [kpi.name for kpi in self._policy.kpis]
        if strangers := sorted(set(increments) - set(names)):
            remedy = f"the policy has {', '.join(names)}"
            raise InvalidInput([Fault(name, "is no KPI of the policy", remedy) for name in strangers])
        sample = CountedSample(increments=increments, elapsed_s=elapsed_s, mature=frozenset(names))
        evidence = after_sample(self._evidence, self._policy, sample)
        judgement = judge_all(self._policy, evidence, self._thresholds)
        complete = Round({name: KpiReading() for name in names}, requests=KpiReading())
        self._evidence = with_verdicts(self._policy, evidence, judgement, self._thresholds, complete)
        return judgement
