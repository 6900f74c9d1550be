"""Whether pins arrive: a gateway that strips a header, or a client that sends nothing back, moves conversations."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine.analysis.counters import REQUESTS, UNPINNED, TimedIncrement
from rollout.engine.context import PlanContext
from rollout.model.api.conversations import Pin
from rollout.model.status.evidence import PinArrival

UNPINNED_MIN = 20.0
"""So many turns of open conversations must have come without their pin before anything is said."""

UNPINNED_SHARE = 0.2
"""And so many for each conversation that began; a client that repeats its first request is no such trouble."""


def counted_arrival(context: PlanContext, timed: Mapping[str, TimedIncrement]) -> PinArrival:
    """Return what was counted of pins so far, with one more sample."""
    so_far = context.release.arrival
    if UNPINNED not in timed or REQUESTS not in timed:
        return so_far
    unpinned, begun = timed[UNPINNED].increment, timed[REQUESTS].increment
    return PinArrival(
        unpinned=so_far.unpinned + unpinned.all_c + unpinned.all_s, begun=so_far.begun + begun.all_c + begun.all_s
    )


def pins_lost(context: PlanContext) -> str:
    """Say that pins do not arrive; an empty text where they do, or it is not known."""
    arrival = context.release.arrival
    if arrival.unpinned < max(UNPINNED_MIN, UNPINNED_SHARE * arrival.begun):
        return ""
    seen = f"{arrival.unpinned:.0f} turns of open conversations came without their pin"
    what = _named(context.spec.conversations.pin)
    return f"{seen}: a gateway strips {what}, or clients do not send it back, so conversations change their version"


def _named(pin: Pin | None) -> str:
    if pin is not None and pin.header is not None:
        return f"the header {pin.header}"
    return f"the cookie {pin.cookie}" if pin is not None and pin.cookie is not None else "the thread id"
