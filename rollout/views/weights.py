"""The candidate's weight over time: as it was intended, and as the requests showed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rollout.engine import messages
from rollout.model.status.decision import Decision
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Phase
from rollout.model.units import FULL_BP
from rollout.stats import Reached

POINTS_MAX = 400

_OVER = (Phase.DRAINING, Phase.STABLE)
"""In these nothing is shifted any more: the weight is what it was in the end."""


@dataclass(frozen=True, slots=True)
class WeightSeries:
    """Points in time, oldest first; weights and shares as fractions.

    Attributes:
        intended: each holds until the next.
        seen: what share of the requests reached the candidate, where that was counted.
        marks: the moments at which something was decided, with what.
    """

    begin: datetime
    end: datetime
    intended: tuple[tuple[datetime, float], ...]
    seen: tuple[tuple[datetime, float], ...]
    marks: tuple[tuple[datetime, str], ...]


@dataclass(frozen=True, slots=True)
class CurrentWeight:
    """The candidate's share now: what is intended, and what the requests show.

    Attributes:
        intended, seen: 0 to 1; seen is None while no requests were counted at this weight.
        state: whether the intended weight is effective in the router.
        counted: what was seen, in words.
    """

    intended: float
    label: str
    state: str
    seen: float | None
    counted: str


def current(traffic: Traffic, reached: Reached) -> CurrentWeight:
    """Return the weight as it is now."""
    counted = "no requests counted yet at this weight"
    if reached.share is not None:
        counted = f"{messages.percent(reached.share)} of {reached.everyone:,.0f} requests seen, {traffic.effective}"
    return CurrentWeight(
        intended=traffic.wanted_bp / FULL_BP,
        label=messages.weight(traffic.wanted_bp),
        state="effective" if traffic.applied_at is not None else "pending",
        seen=reached.share,
        counted=counted,
    )


def series(decisions: Iterable[Decision], begin: datetime, end: datetime, wanted_bp: int | None = None) -> WeightSeries:
    """Return the weights between two moments, from the decisions of that time.

    Args:
        wanted_bp: the weight that is wanted in the end, in basis points; None: the last decision's.
    """
    decisions = list(decisions)
    cut = decisions and decisions[0].phase is not Phase.PREFLIGHT  # what was before is not known here
    intended = [(decisions[0].at, decisions[0].weight_bp / FULL_BP)] if cut else [(begin, 0.0)]
    seen: list[tuple[datetime, float]] = []
    marks: list[tuple[datetime, str]] = []
    for decision in decisions:
        weight = intended[-1][1] if decision.phase in _OVER else decision.weight_bp / FULL_BP
        if weight != intended[-1][1]:
            intended.append((decision.at, weight))
        if decision.share is not None and decision.kind == "sample":
            seen.append((decision.at, decision.share))
        if decision.kind in ("transition", "command"):
            marks.append((decision.at, decision.message))
    intended.append((end, intended[-1][1] if wanted_bp is None else wanted_bp / FULL_BP))
    return WeightSeries(begin, end, tuple(intended), _thinned(seen), tuple(marks))


def _thinned(points: list[tuple[datetime, float]]) -> tuple[tuple[datetime, float], ...]:
    """Return at most `POINTS_MAX` points, evenly taken; the last one always."""
    if len(points) <= POINTS_MAX:
        return tuple(points)
    every = len(points) / POINTS_MAX
    return (*(points[int(index * every)] for index in range(POINTS_MAX - 1)), points[-1])
