"""Which route is wanted, and is it in force? A pure function of the status: recomputed at every look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rollout.engine.facts import RouteFacts
from rollout.model.status import Phase, Status
from rollout.model.units import FULL_BP


@dataclass(frozen=True, slots=True)
class SetWeight:
    """The one effect on traffic: split between two versions, the candidate getting `candidate_bp` of 10000.

    Without a candidate everything goes to `stable`. Weights always add up to 10000, so they are never all zero.
    preview_header: requests that carry it with the candidate's version go to the candidate, whatever the weight, as
    does the route's preview listener; None where there is no preview.
    """

    stable: str
    candidate: str | None = None
    candidate_bp: int = 0
    preview_header: str | None = None

    def __post_init__(self) -> None:
        assert 0 <= self.candidate_bp <= FULL_BP
        assert self.candidate is not None or self.candidate_bp == 0

    def __str__(self) -> str:
        if self.candidate is None:
            return f"all traffic to {self.stable}"
        preview = ", to be previewed" if self.preview_header else ""
        return f"{self.candidate} at {self.candidate_bp / 100:g} %, {self.stable} the rest{preview}"


def wanted_route(status: Status) -> SetWeight | None:
    """Return the route that the status asks for; None while stable is unknown."""
    if status.stable_version is None:
        return None
    if status.phase is Phase.DRAINING and status.previous_version:
        return SetWeight(status.previous_version, status.stable_version, FULL_BP)
    if status.phase is Phase.STABLE or status.candidate_version is None:
        return SetWeight(status.stable_version)
    traffic = status.traffic
    return SetWeight(status.stable_version, status.candidate_version, traffic.wanted_bp, traffic.preview_header)


def in_force(wanted: SetWeight, routes: Iterable[RouteFacts]) -> bool:
    """Whether every route is as wanted."""
    return all(
        route.reachable
        and (route.stable, route.candidate, route.candidate_bp or 0, route.preview_header)
        == (wanted.stable, wanted.candidate, wanted.candidate_bp, wanted.preview_header)
        for route in routes
    )
