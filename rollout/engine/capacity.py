"""Whether a version has enough ready endpoints for a share of the traffic. Pure.

What a share needs is measured by the version that carries it now: half of what 10 endpoints do needs 5 of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rollout.engine.context import PlanContext
from rollout.engine.messages import weight
from rollout.model.status.endpoints import Endpoints
from rollout.model.units import FULL_BP


@dataclass(frozen=True, slots=True)
class Need:
    """What one version needs to take over a share from another.

    Attributes:
        taker: the version that is to get the share, and `giver`, which carries it now.
        has: the ready endpoints of the taker.
        of: those of the giver.
        wanted: how many the taker should have.
        weight_bp: the share, in basis points of what the giver's endpoints carry.
        carries_bp: the largest share that the taker has enough endpoints for.
        autoscaler: who brings more to the taker once there is load, if there is one.
        min_replicas: how many that one keeps at least.
    """

    taker: str
    giver: str
    has: int
    of: int
    wanted: int
    weight_bp: int
    carries_bp: int
    autoscaler: str
    min_replicas: int

    @property
    def is_met(self) -> bool:
        return self.has >= self.wanted

    @property
    def grows(self) -> bool:
        """Whether an autoscaler keeps all it promises before there is load, and is to bring the rest."""
        return bool(self.autoscaler) and self.has >= max(1, self.min_replicas)

    def __str__(self) -> str:
        has = f"{self.taker} has {_endpoints(self.has)}"
        return f"{has}, and needs {self.wanted} for {weight(self.weight_bp)} of what {self.giver} does with {self.of}"


def endpoints_for(ready: int, weight_bp: int, at_least_bp: int) -> int:
    """Return how many endpoints a share of what others carry needs: one at least, and none where they are none.

    Args:
        ready: the endpoints that carry it now.
        at_least_bp: the part of them that is enough.
    """
    exact = ready * weight_bp * at_least_bp / FULL_BP**2
    return max(1, math.ceil(exact - 1e-9)) if ready else 0


def need(context: PlanContext, taker: str, giver: str, weight_bp: int) -> Need | None:
    """Return what a version needs to take a share over from another; None where nobody counts the endpoints."""
    counted = context.release.endpoints
    there, here = counted.get(taker), counted.get(giver)
    if there is None or here is None:
        return None
    at_least_bp = context.policy.capacity.at_least_bp
    return Need(
        taker=taker,
        giver=giver,
        has=there.ready,
        of=here.ready,
        wanted=endpoints_for(here.ready, weight_bp, at_least_bp),
        weight_bp=weight_bp,
        carries_bp=_carries(there, here, at_least_bp),
        autoscaler=there.autoscaler,
        min_replicas=there.min_replicas,
    )


def note_endpoints(context: PlanContext) -> None:
    """Keep the newest count of both versions, while a release is under way."""
    counted = context.facts.endpoints
    if context.status.is_active and counted and dict(counted) != context.release.endpoints:
        context.update_release(endpoints=dict(counted))


def going_back(context: PlanContext) -> str:
    """Say that stable has too few endpoints for what it gets back; the way back waits for nothing. Empty if it has."""
    status, share_bp = context.status, context.release.traffic.wanted_bp
    back = need(context, status.stable_version or "", status.candidate_version or "", share_bp)
    return f"{back}: scale {back.taker} up" if back is not None and share_bp and not back.is_met else ""


def growth(context: PlanContext, weight_bp: int) -> str:
    """Say that the candidate gets more than its endpoints are made for, and how it would not. Empty if it does not."""
    status = context.status
    step = need(context, status.candidate_version or "", status.stable_version or "", weight_bp)
    if step is None or step.is_met:
        return ""
    if not step.grows:
        return str(step)
    smaller = (
        f": a step of {weight(step.carries_bp)} before it gives it time" if 0 < step.carries_bp < weight_bp else ""
    )
    return f"{step}; its autoscaler {step.autoscaler} has to bring them{smaller}"


def _carries(taker: Endpoints, giver: Endpoints, at_least_bp: int) -> int:
    """Return the largest share, in whole percent, for which the taker has enough."""
    if not at_least_bp or not giver.ready:
        return FULL_BP
    exact = taker.ready * FULL_BP**2 / (giver.ready * at_least_bp)
    return min(FULL_BP, math.floor(exact / 100 + 1e-9) * 100)


def _endpoints(count: int) -> str:
    return f"{count} ready endpoint{'' if count == 1 else 's'}"
