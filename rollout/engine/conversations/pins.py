"""Which started conversations stay where: decided anew at each turn, from the status and what answers."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.engine.conversations.movable import may_move
from rollout.engine.eligibility import DOWN_SAMPLES
from rollout.model.agent_state import Axis
from rollout.model.status.conversations import NO_PINS, Pins
from rollout.model.status.vocabulary import Phase, Reason


def is_one_way(context: PlanContext) -> bool:
    """Whether every started conversation stays where it is, also one without a pin: then no version reads another's.

    It is declared here, and verified before the first weight (`gates/pins`).
    """
    declared = context.spec.conversations
    return declared.pin is not None and declared.started == "stable"


def note_pins(context: PlanContext) -> None:
    """Write down which conversations are to stay where: the intent, before any route is changed for it."""
    wanted = wanted_pins(context)
    if wanted == (context.status.pins or NO_PINS):
        return
    if context.facts.resource.leaving and any(route.pins != NO_PINS for route in context.borrowed):
        return  # they are being taken out: until that was seen, the Rollout stays
    context.update(pins=wanted or None)
    context.record("traffic", message=str(wanted) if wanted else "no conversation is pinned any more")


def wanted_pins(context: PlanContext) -> Pins:
    """Return the pins that the status asks for. Only versions that answer are named: others would answer nobody."""
    status = context.status
    if context.spec.conversations.pin is None or context.facts.resource.leaving or status.stable_version is None:
        return NO_PINS
    draining = [version for version, drain in status.draining.items() if not drain.done]
    if not _covers_release(context):
        return Pins(versions=tuple(sorted(draining)), started=_before(context))
    versions = [*_of_release(context), *draining]
    return Pins(versions=tuple(dict.fromkeys(versions)), started=_started(context))


def _before(context: PlanContext) -> str | None:
    """Return whose conversations without a pin are: those of the version in use before, until it is drained,
    where the stable one is not known to go on with them.
    """
    drains = context.status.draining.items()
    kept = [version for version, drain in drains if drain.was_stable and not drain.may_move and not drain.done]
    is_kept = kept and context.spec.conversations.started == "stable"
    return min(kept, key=lambda version: context.status.draining[version].since) if is_kept else None


def _started(context: PlanContext) -> str | None:
    """Return where conversations without a pin go during a release: to the oldest version that they may be of."""
    if context.spec.conversations.started != "stable":
        return None
    return _before(context) or (None if _stable_is_passed(context) else context.status.stable_version)


def release_pins(context: PlanContext) -> Pins:
    """Return the pins that a release needs before its first weight."""
    status = context.status
    stable, candidate = status.stable_version or "", status.candidate_version or ""
    draining = [version for version, drain in status.draining.items() if not drain.done]
    kept = (candidate, *draining) if _stable_is_passed(context) else (stable, candidate, *draining)
    return Pins(versions=tuple(dict.fromkeys(kept)), started=_started(context))


def _covers_release(context: PlanContext) -> bool:
    """Whether a release is under way that has come as far as its pins."""
    status = context.status
    phase = status.resume_to if status.phase is Phase.PAUSED else status.phase
    if not status.is_active or phase is Phase.DRAINING:
        return False
    if phase is not Phase.PREFLIGHT:
        return True
    pins = status.pins or NO_PINS
    return status.reason is Reason.PINS_PENDING or (status.candidate_version or "") in pins.versions


def _of_release(context: PlanContext) -> list[str]:
    status = context.status
    stable, candidate = status.stable_version or "", status.candidate_version or ""
    versions = [] if _stable_is_passed(context) else [stable]
    return versions if status.goes_back and not stays_on_candidate(context) else [*versions, candidate]


def stays_on_candidate(context: PlanContext) -> bool:
    """Whether conversations of a candidate that goes back stay on it: not if it is down, nor if they are to move."""
    if context.status.reason is Reason.CANDIDATE_DOWN or context.release.unready_samples >= DOWN_SAMPLES:
        return False
    moves = context.policy.reactions.harm.started == "move"
    return not (moves and may_move(context, Axis.FORWARD))


def _stable_is_passed(context: PlanContext) -> bool:
    return bool(context.release.stable_passed_by)
