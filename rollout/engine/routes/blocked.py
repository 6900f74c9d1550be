"""Traffic that cannot be moved where it must go is told, loudly: why, in the server's own words, and in which route."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.effects import SetWeight
from rollout.engine.route_facts import BorrowedRoute, RouteFacts
from rollout.engine.routes.wanted import is_as_wanted, wanted_weight
from rollout.model.status.traffic import RouteBlock
from rollout.model.status.vocabulary import Phase, Reason

LOUD_AFTER_S = 20.0
"""A weight that is still on its way after so long, where it must not wait, is worth a word."""

_RETURNING = (Phase.ROLLING_BACK, Phase.SUPERSEDING, Phase.DRAINING)
_AT_REST = (Phase.STABLE, Phase.ROLLED_BACK)


def note_blocked(context: PlanContext) -> None:
    """Keep in the status why routes are not as they must be, or that they are."""
    wanted = wanted_weight(context.status)
    block = None if wanted is None or not context.facts.routes else _block_of(context, wanted)
    before = context.status.blocked
    if block is None:
        if before is not None:
            context.update(blocked=None)
            context.record("traffic", message="all routes have the right weights again")
        return
    reason, message = block
    known = before is not None and before.reason is reason
    since = before.since if before is not None and known else context.now
    if before is None or (before.reason, before.message) != block:
        context.update(blocked=RouteBlock(reason=reason, message=message, since=since))
    if not known:
        context.record("traffic", message=message, reason=reason)


def _block_of(context: PlanContext, wanted: SetWeight) -> tuple[Reason, str] | None:
    status = context.status
    if status.phase in _AT_REST:
        return _changed_at_rest(context, context.borrowed)
    if status.phase is Phase.PREFLIGHT:
        return None  # nothing has moved: the gates say what is wrong
    asked_at = context.release.traffic.asked_at
    late = status.phase in _RETURNING and context.since(asked_at or status.phase_since) >= LOUD_AFTER_S
    wrong = {route.name: trouble for route in context.facts.routes if (trouble := _trouble(route, wanted, late=late))}
    if not wrong:
        return None
    reason = next(iter(wrong.values()))[0]
    named = "; ".join(f"{name}: {trouble}" for name, (_, trouble) in wrong.items())
    right = [route.name for route in context.facts.routes if route.name not in wrong]
    rest = f". Routes with the right weights: {messages.listed(right)}" if right else ""
    goal = {
        Phase.ROLLING_BACK: f"not all traffic is back on {status.stable_version}",
        Phase.SUPERSEDING: f"not all traffic is back on {status.stable_version}",
        Phase.DRAINING: "the weights are not on the base that was found",
    }.get(status.phase, f"the weight of {status.candidate_version} cannot be set")
    return reason, f"{goal}. {named}{rest}"


def _trouble(route: RouteFacts, wanted: SetWeight, *, late: bool) -> tuple[Reason, str] | None:
    """Return why a route is not as it must be, where that is worth a word."""
    if route.gone or (route.reachable and route.accepted and is_as_wanted(wanted, route)):
        return None
    if route.denied:
        return Reason.ROUTE_WRITE_DENIED, f"the change was denied: {route.denied}"
    if not late:
        return None
    if not route.reachable:
        return route.reason, route.problem
    if not is_as_wanted(wanted, route):
        return Reason.WEIGHT_PENDING, "the weights are not written yet"
    return Reason.ROUTE_NOT_ACCEPTED, route.waiting


def _changed_at_rest(context: PlanContext, routes: Iterable[BorrowedRoute]) -> tuple[Reason, str] | None:
    """Notice that somebody gave traffic to another version than the stable one, after all was over."""
    stable = context.status.stable_version
    changes = []
    for route in routes:
        if not route.reachable:
            if route.reason is Reason.ROUTER_DOWN:
                continue  # it cannot be read for the moment
            return route.reason, f"{stable} is stable, but {route.name} {route.problem}"
        if route.denied and (route.owned or context.status.added.get(route.name)):
            return Reason.ROUTE_WRITE_DENIED, f"{route.name} cannot be left as it was found: {route.denied}"
        others = {version: share for version, share in route.shares.items() if share and version != stable}
        if others:
            seen = [f"{version} {messages.weight(share)}" for version, share in sorted(others.items())]
            changes.append(f"{route.name} sends traffic to {messages.listed(seen)}")
        elif route.reason is Reason.ROUTE_REFUSED and route.problem:
            changes.append(f"{route.name}: {route.problem}")
        elif route.owner != stable:
            changes.append(f"{route.name} gives {stable} no weight")
    if not changes:
        return None
    remedy = f"give {stable} all the weight again, and make the tool that applies the route ignore weights"
    return Reason.WEIGHT_DRIFT, f"{stable} is stable, but {messages.listed(changes)}: {remedy}"
