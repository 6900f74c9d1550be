"""The drain: what is under way on the old version ends there."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.phases.idle import start_if_wanted
from rollout.engine.routes.wanted import is_restored, wanted_weight
from rollout.engine.transitions import Event
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Reason


def draining(context: PlanContext) -> None:
    if start_if_wanted(context):
        return
    status = context.status
    old = status.previous_version or ""
    active = sum(route.active.get(old, 0) for route in context.facts.routes)
    reachable = all(route.reachable for route in context.facts.routes)
    late = context.release.deadline is not None and context.now >= context.release.deadline
    wanted = wanted_weight(status)
    restored = wanted is None or is_restored(wanted, context.facts.routes, leaving=context.facts.resource.leaving)
    if late or (active == 0 and (restored if context.borrowed else reachable)):
        message = f"no request is under way on {old}"
        if active:
            message = f"the drain deadline has passed; {active} requests on {old} are still under way"
        context.go(Event.DRAINED, Reason.PROMOTED, message, release=context.changed(traffic=Traffic()))
        context.update(message=status.message)
    elif active:
        context.update(reason=Reason.DRAINING)
