"""How long until the next decision: in time, and in requests of the candidate. Estimates, for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from rollout.engine import messages
from rollout.engine.analysis.remaining import requests_left
from rollout.engine.analysis.verdict import Thresholds, must_prove
from rollout.engine.strategy import ReleaseStrategy, strategy_of
from rollout.model.api.policy import PolicySpec
from rollout.model.pinned import pinned_policy
from rollout.model.status.evidence import KpiVerdict
from rollout.model.status.release import Release
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.model.units import FULL_BP
from rollout.views.overview import Left


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left until a release moves on.

    Attributes:
        seconds: at least so long; None where nothing can be said.
        requests: so many of the candidate, for the KPI that needs the most; None where evidence is not waited for.
        by_kpi: the same, KPI by KPI; infinite where no number is enough.
        latest_s: how long until the step is given up, or passed undecided; None where it waits for ever.
        in_words: the requests.
    """

    seconds: float | None
    requests: float | None
    by_kpi: dict[str, float]
    latest_s: float | None
    in_words: str = ""

    def left(self, now: datetime) -> Left:
        """Return the same by the clock, so that it can be told later too."""
        at = now.timestamp()
        return Left(
            requests=self.in_words,
            due_at=None if self.seconds is None else at + self.seconds,
            latest_at=None if self.latest_s is None else at + self.latest_s,
        )

    @property
    def message(self) -> str:
        """All of it, in a line; empty where there is nothing to say."""
        return Left(self.in_words, self.seconds, self.latest_s).message(0.0)


NOTHING = Outlook(None, None, {}, None)


def outlook(status: Status, now: datetime) -> Outlook:
    """Return what is left until the next decision of the release under way."""
    policy = pinned_policy(status)
    if policy is None or status.phase not in (Phase.OBSERVING, Phase.BAKING):
        return NOTHING
    release = status.latest
    strategy = strategy_of(policy, undoing=release.undoing)
    waits_s, at_most_s = _declared(status, policy, strategy)
    by_kpi = _requests(status, policy, strategy)
    requests = max(by_kpi.values(), default=None)
    held_s = waits_s - _watched_s(release, now)
    rate = _per_second(release, now)
    proof_s = requests / rate if requests is not None and isfinite(requests) and rate else 0.0
    known = bool(rate) or requests is None
    latest_s = None if at_most_s is None else max(0.0, at_most_s - _watched_s(release, now))
    return Outlook(
        max(0.0, held_s, proof_s) if known else None, requests, by_kpi, latest_s, _in_words(status, requests)
    )


def _declared(status: Status, policy: PolicySpec, strategy: ReleaseStrategy) -> tuple[float, float | None]:
    """Return how long this weight is held at least and at most, in seconds, by the policy."""
    if status.phase is Phase.BAKING:
        matures = [kpi.matures_s for kpi in policy.kpis if not kpi.advisory and strategy.proves]
        return max(strategy.bake.for_s, *matures, 0.0), strategy.bake.at_most_s
    step = strategy.steps[min(status.latest.step, len(strategy.steps) - 1)]
    return step.for_s, step.at_most_s


def _requests(status: Status, policy: PolicySpec, strategy: ReleaseStrategy) -> dict[str, float]:
    """Return how many requests the proof of each KPI still needs, where the release waits for it."""
    release = status.latest
    if status.phase is not Phase.OBSERVING or not strategy.proves or release.step >= len(strategy.steps):
        return {}
    step, last = strategy.steps[release.step], release.step == len(strategy.steps) - 1
    if step.until != "evidence" and not last:
        return {}
    needed = Thresholds.of(policy.evidence, release.retries).proof
    share = release.traffic.wanted_bp / FULL_BP
    lefts = {}
    for kpi in must_prove(policy):
        state = release.evidence.get(kpi.name)
        if state is None or state.verdict is KpiVerdict.ACCEPTABLE:
            continue
        left = requests_left(kpi, state, policy.evidence, share, needed)
        if left is not None:
            lefts[kpi.name] = left
    return lefts


def _watched_s(release: Release, now: datetime) -> float:
    """Return how long this weight was watched; less than 0 while it warms up."""
    if release.window_since is None:
        return 0.0
    return (now - release.window_since).total_seconds() - release.gap_s


def _per_second(release: Release, now: datetime) -> float:
    """Return how many requests of the candidate there are in a second at this weight; 0 where nobody knows."""
    asked_at, reached = release.traffic.applied_at, release.split.reached
    if asked_at is not None and reached.candidate > 0:
        return reached.candidate / max(1.0, (now - asked_at).total_seconds())
    counted = max((state.all_c + state.all_s for state in release.evidence.values()), default=0.0)
    if release.started_at is None or counted <= 0:
        return 0.0
    passed_s = (now - release.started_at).total_seconds() - release.paused_s
    return counted / max(1.0, passed_s) * release.traffic.wanted_bp / FULL_BP


def _in_words(status: Status, requests: float | None) -> str:
    if requests is None:
        return ""
    if not isfinite(requests):
        return "its evidence cannot be reached at this rate of failures"
    return f"after {messages.requests_left(requests, status.candidate_version or '')}"
