"""Gates of pins: no weight before started conversations are known to stay where they are."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.conversations.pins import release_pins
from rollout.engine.gates.gate import Blocked
from rollout.model.status.conversations import NO_PINS
from rollout.model.status.vocabulary import Reason


def conversations_can_be_pinned(context: PlanContext) -> Blocked | None:
    """Before anything is written: routes that can have no pins are told first."""
    if context.spec.conversations.pin is None:
        return None
    refused = [route for route in context.facts.routes if route.refuses_pins]
    if not refused:
        return None
    return Blocked(Reason.PINS_REFUSED, f"{refused[0].name}: conversations cannot be pinned: {refused[0].unpinned}")


def conversations_are_pinned(context: PlanContext) -> Blocked | None:
    """Whether each route keeps started conversations on their versions, and whoever carries it out has taken it up."""
    if context.spec.conversations.pin is None:
        return None
    wanted = release_pins(context)
    for route in context.facts.routes:
        if route.unpinned:
            return Blocked(Reason.PINS_PENDING, f"{route.name}: conversations are not pinned yet: {route.unpinned}")
    if (context.status.pins or NO_PINS) == wanted and all(route.pins == wanted for route in context.facts.routes):
        return None
    denied = [
        f". {route.name}: the change was denied: {route.denied}" for route in context.facts.routes if route.denied
    ]
    return Blocked(Reason.PINS_PENDING, f"pinning started conversations: {wanted}{''.join(denied)}")
