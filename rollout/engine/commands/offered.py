"""Which verbs make sense now, for screens that offer them. The engine still answers: this only hides the others."""

from __future__ import annotations

from rollout.engine.facts import Verb
from rollout.engine.transitions import Event, allows
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import HeldBy, Phase, Reason

_AWAITED = (Reason.WINDOW_CLOSED, Reason.CAPACITY)


def offered(status: Status) -> tuple[Verb, ...]:
    """Return the verbs that steer the release that is under way, as far as its status can tell."""
    if not status.is_active or status.goes_back or status.phase is Phase.DRAINING:
        return ()
    paused = status.phase is Phase.PAUSED
    waits = status.reason in _AWAITED and status.phase in (Phase.SHIFTING, Phase.OBSERVING)
    verbs: list[Verb] = []
    if (paused and status.held_by is HeldBy.APPROVAL) or waits:
        verbs.append("approve")
    elif status.held_by is not HeldBy.SPEC and _has_step(status):
        verbs.append("promote")
    if paused and status.held_by not in (HeldBy.APPROVAL, HeldBy.SPEC):
        verbs.append("resume")
    if not paused and allows(status.phase, Event.HOLD):
        verbs.append("pause")
    return (*verbs, "abort")


def _has_step(status: Status) -> bool:
    """Whether there is a step that a human can pass."""
    where = status.resume_to if status.phase is Phase.PAUSED else status.phase
    return where in (Phase.OBSERVING, Phase.BAKING) or status.reason is Reason.STABLE_DOWN
