"""How long until the next decision: in time, and in requests of the candidate. Estimates, for people."""

from __future__ import annotations

from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left until a release moves on.

    Attributes:
        seconds: at least so long; None where nothing can be said.
        requests: so many of the candidate, for the KPI that needs the most; None where evidence is not waited for.
        by_kpi: the same, KPI by KPI; infinite where no number is enough.
        latest_s: how long until the step is given up, or passed undecided; None where it waits for ever.
        message: all of it, in a line; empty where there is nothing to say.
    """

    seconds: float | None
    requests: float | None
    by_kpi: dict[str, float]
    latest_s: float | None
    message: str


NOTHING = Outlook(None, None, {}, None, "")


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
    seconds = max(0.0, held_s, proof_s)
    latest_s = None if at_most_s is None else max(0.0, at_most_s - _watched_s(release, now))
    message = ", ".join(_parts(status, requests, seconds, latest_s, known=bool(rate) or requests is None))
    return Outlook(seconds, requests, by_kpi, latest_s, message)


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


def _parts(
    status: Status, requests: float | None, seconds: float, latest_s: float | None, *, known: bool
) -> Iterator[str]:
    candidate = status.candidate_version or ""
    if requests is not None and not isfinite(requests):
        yield "its evidence cannot be reached at this rate of failures"
    elif requests is not None:
        yield f"after {messages.requests_left(requests, candidate)}{f' (~{messages.span(seconds)})' if known else ''}"
    elif seconds > 0:
        yield f"in {messages.span(seconds)}"
    if latest_s is not None and (requests is not None or latest_s < seconds):
        yield f"in {messages.span(latest_s)} at the latest"
