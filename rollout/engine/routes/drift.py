"""The effective weight: since when, and what is done when somebody else changes it."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.effects import SetWeight
from rollout.engine.route_facts import OwnRoute, RouteFacts
from rollout.engine.routes.wanted import is_as_wanted, is_effective, wanted_weight
from rollout.engine.start import open_window
from rollout.engine.transitions import Event, allows
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Reason

DRIFTS_MAX = 5
"""A foreign edit of our weights is put back this often, then the rollout freezes: somebody means it."""


def wrong_split(status: Status) -> bool:
    """Whether the requests contradict the effective weight."""
    return status.latest.traffic.effective == "refuted" or status.latest.split.ratio.mismatched


def follow_traffic(context: PlanContext) -> None:
    """Notice that a weight became effective, or that somebody else changed it."""
    wanted, traffic = wanted_weight(context.status), context.release.traffic
    if wanted is None or not context.status.is_active or wanted.candidate is None:
        return
    if is_effective(wanted, context.facts.routes):
        if traffic.applied_at is None:
            context.update_traffic(applied_at=context.now, applied_bp=wanted.weight_bp, off_since=None)
            if context.release.window_since is not None:
                open_window(context)
        elif traffic.off_since is not None and not wrong_split(context.status):
            context.update_traffic(off_since=None)
            context.record("traffic", message=f"the route is as wanted again: {wanted}")
        return
    down = [route for route in context.facts.routes if not route.reachable]
    foreign = [route for route in context.facts.routes if route.reachable and not is_as_wanted(wanted, route)]
    if traffic.off_since is None:
        context.update_traffic(off_since=context.now)
        if down:
            says = "does not answer" if down[0].reason is Reason.ROUTER_DOWN else "cannot be used"
            context.record("traffic", message=f"the route {down[0].name} {says}: {down[0].problem}")
    if traffic.applied_at is not None and foreign and not down:
        _put_back(context, wanted)


def _put_back(context: PlanContext, wanted: SetWeight) -> None:
    """Answer a foreign edit: put the weight back a few times, then freeze."""
    drifts = context.release.traffic.drifts + 1
    context.update_traffic(applied_at=None, drifts=drifts)
    seen = "; ".join(_seen(route) for route in context.facts.routes)
    message = f"drift: the weights were changed by others ({seen}); wanted: {wanted}"
    if drifts > DRIFTS_MAX and allows(context.status.phase, Event.FREEZE):
        context.go(Event.FREEZE, Reason.WEIGHT_DRIFT, f"{message}. Restored {DRIFTS_MAX} times, then changed again")
    else:
        context.record("traffic", message=message)


def _seen(route: RouteFacts) -> str:
    if isinstance(route, OwnRoute):
        return f"{route.name} has {route.candidate or 'no candidate'} at {messages.weight(route.weight_bp or 0)}"
    shares = [f"{version} at {messages.weight(share)}" for version, share in sorted(route.shares.items())]
    return f"{route.name} has {messages.listed(shares) or 'no version of ours'}"
