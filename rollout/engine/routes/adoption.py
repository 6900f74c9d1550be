"""What belongs to others and is only borrowed: a rule and the base of its weights, the fields of a route, and the
replicas of a version that is scaled to 0.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.effects import Effect, LeaveRoute, ScaleUp, SetWeight
from rollout.engine.route_facts import BorrowedRoute
from rollout.engine.routes.wanted import is_as_wanted
from rollout.model.status.conversations import NO_PINS
from rollout.model.status.traffic import Base
from rollout.model.status.vocabulary import Phase, Reason
from rollout.model.units import FULL_BP

FINEST_BASE = FULL_BP
"""A base that expresses every weight that can be written."""

WARNINGS_KEPT = 16

_AT_REST = (Phase.STABLE, Phase.ROLLED_BACK)


def note_routes(context: PlanContext) -> None:
    """Remember which rule was chosen, what its weights add up to before we change them, and what users should know.

    The rule is chosen while nothing has moved; from then on it is found by its identity, never chosen again.
    """
    status = context.status
    left = not any(route.owned for route in context.borrowed)
    if status.phase in _AT_REST and status.bases and left and not context.decisions:  # they are restored
        context.update(bases={})
    if status.phase not in (Phase.PREFLIGHT, *_AT_REST):
        return
    adopted = [route for route in context.borrowed if route.reachable]
    chosen = {route.name: route.rule for route in adopted if route.rule is not None}
    kept = {name: rule for name, rule in status.rules.items() if name in {route.name for route in context.facts.routes}}
    if {**kept, **chosen} != status.rules and context.facts.routes:
        context.update(rules={**kept, **chosen})
    if status.phase is Phase.PREFLIGHT:
        _note_bases(context, adopted)
        notes = tuple(f"{route.name}: {note}" for route in adopted for note in route.notes)[:WARNINGS_KEPT]
        if notes != context.release.warnings:
            context.update_release(warnings=notes)
            for note in notes:
                context.record("traffic", message=note)


def _note_bases(context: PlanContext, adopted: Iterable[BorrowedRoute]) -> None:
    status = context.status
    weights = [step.weight_bp for step in context.strategy.steps]
    bases = dict(status.bases)
    for route in adopted:
        if not route.base:
            continue
        absent = bases[route.name].absent if route.name in bases else route.absent  # adding a backend writes weights
        used = _base_for(weights, route.base, route.usual_base)
        bases[route.name] = Base(original=route.base, used=used, absent=absent, parts=dict(route.parts))
    if bases != status.bases:
        context.update(bases=bases)


def _base_for(weights_bp: Iterable[int], original: int, usual: int) -> int:
    """Return the first base on which every step is a whole number: the one found, the usual one, the finest."""
    bases = (original, usual, FINEST_BASE)
    return next(base for base in bases if base > 0 and all(bp * base % FULL_BP == 0 for bp in weights_bp))


def add_backends(context: PlanContext, wanted: SetWeight) -> tuple[SetWeight, ...]:
    """Add the candidate's backend, at weight 0, to the routes that allow it; record first in which it was added.

    Only once everything else in the preflight has passed: a reference to what is not there breaks a whole rule.
    """
    candidate = wanted.candidate
    lacking = [route for route in context.borrowed if route.managed and candidate in route.missing]
    if candidate is None or not lacking or context.status.reason is not Reason.BACKEND_UNLISTED:
        return ()
    added = dict(context.status.added)
    for route in lacking:
        added[route.name] = tuple(dict.fromkeys((*added.get(route.name, ()), candidate)))
    if added != context.status.added:
        context.update(added=added)
        context.record("traffic", message=f"{candidate} gets a backend at weight 0 in {_names(lacking)}")
    return (wanted,)


def scale_up(context: PlanContext) -> tuple[Effect, ...]:
    """Wake the candidate up before any traffic, where nobody else scales it."""
    status = context.status
    candidate, stable = status.candidate_version, status.stable_version
    if status.phase is not Phase.PREFLIGHT or candidate is None or stable is None:
        return ()
    if candidate not in context.facts.asleep:
        return ()
    if context.release.woken != candidate:
        context.update_release(woken=candidate)
        context.record("traffic", message=f"{candidate} was scaled to 0 and is scaled up")
    return (ScaleUp(candidate, stable),)


def removable(context: PlanContext) -> bool:
    """Whether backends or pins that were added are still there, for a rollout that is going for good."""
    return any(_over(context, route) or route.pins != NO_PINS for route in context.borrowed)


def leave(context: PlanContext, wanted: SetWeight | None) -> tuple[Effect, ...]:
    """Leave the routes: take out the added backends that are over, and let go of the fields, once nothing is under way.

    A backend is struck off once it was seen to be gone: nobody who puts it back after that is fought.
    """
    if wanted is None:
        return ()
    effects: list[Effect] = []
    added = dict(context.status.added)
    for route in context.borrowed:
        moving = context.facts.resource.leaving and not is_as_wanted(wanted, route)
        if not route.reachable or moving:
            continue
        over = _over(context, route)
        listed = route.shares
        kept = tuple(version for version in added.get(route.name, ()) if version in listed)
        if kept:
            added[route.name] = kept
        else:
            added.pop(route.name, None)
        if over or route.owned:
            base = context.status.bases.get(route.name)
            effects.append(LeaveRoute(route.name, over, base.absent if base else ()))
    if added != context.status.added:
        context.update(added=added)
    return tuple(effects)


def _over(context: PlanContext, route: BorrowedRoute) -> tuple[str, ...]:
    """Return the versions whose backend was added to a route, and that get nothing there any more."""
    if context.is_standby and not context.facts.resource.leaving:
        return ()
    stable, shares = context.status.stable_version, route.shares
    return tuple(
        version
        for version in context.status.added.get(route.name, ())
        if version != stable and shares.get(version, 1) == 0
    )


def _names(routes: Iterable[BorrowedRoute]) -> str:
    return messages.listed(route.name for route in routes)
