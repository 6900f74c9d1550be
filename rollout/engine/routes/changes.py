"""What is to be changed in the routes, and of the workloads behind them; nothing where all is as it must be."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.conversations.drain import scale_down
from rollout.engine.effects import Effect, SetPins, SetWeight
from rollout.engine.routes.adoption import add_backends, leave, scale_up
from rollout.engine.routes.roles import hand_back
from rollout.engine.routes.wanted import has_pins, is_as_wanted, is_effective, is_restored, wanted_weight
from rollout.model.status.conversations import NO_PINS
from rollout.model.status.vocabulary import Phase


def changes_of(context: PlanContext) -> tuple[Effect, ...]:
    """Return what brings the world to where the status wants it; nothing where it is there already."""
    woken = scale_up(context)
    wanted, pins = wanted_weight(context.status), _pin_effects(context)
    if context.borrowed and not context.status.is_active:
        return (
            *hand_back(context),
            *leave(context, wanted),
            *pins,
            *scale_down(context),
        )  # at rest a route belongs to those whose it is
    weights = _route_effects(context, wanted)
    if context.status.goes_back:
        return (*weights, *pins)  # nothing stands before the way back
    return (*hand_back(context), *woken, *pins, *weights, *scale_down(context))


def _pin_effects(context: PlanContext) -> tuple[Effect, ...]:
    """Let routes of others keep conversations as the status says; a route of our own has its pins with its weight."""
    wanted = NO_PINS if context.facts.resource.leaving else context.status.pins or NO_PINS
    effects = []
    for route in context.borrowed:
        mine = NO_PINS if route.gone else wanted
        stays = bool(mine) and route.refuses_pins  # taking out what is written would cut somebody off
        if (route.reachable or route.gone) and route.pins != mine and not stays:
            effects.append(SetPins(route.name, mine))
    return tuple(effects)


def _route_effects(context: PlanContext, wanted: SetWeight | None) -> tuple[Effect, ...]:
    if wanted is None:
        return ()
    if context.status.goes_back and context.release.traffic.asked_at == context.now:
        return (wanted,)  # also where the route looks right already: what we asked before may not have arrived yet
    if context.facts.resource.leaving and context.status.phase is Phase.ROLLING_BACK:
        return leave(context, wanted) if is_restored(wanted, context.facts.routes, leaving=True) else (wanted,)
    if is_effective(wanted, context.facts.routes) and has_pins(wanted, context.facts.routes):
        return ()
    if context.borrowed:
        if context.status.phase is Phase.PREFLIGHT:
            return add_backends(context, wanted)
        if all(route.gone or (route.reachable and is_as_wanted(wanted, route)) for route in context.facts.routes):
            return ()  # written: whoever carries the route out has to take it up
    frozen_by_drift = context.status.phase is Phase.FROZEN and all(route.reachable for route in context.facts.routes)
    return () if frozen_by_drift else (wanted,)
