"""Gates before any traffic: can both versions be reached, told apart and judged?"""

from __future__ import annotations

from rollout.engine.closed import Closed
from rollout.engine.draft import Draft
from rollout.engine.route import in_force, is_as_wanted, wanted_route
from rollout.model.status import Phase, Reason


def _needed(draft: Draft) -> tuple[str, ...]:
    """Return the versions that must be fit: both, but on the way back only the one that is gone back to."""
    candidate, stable = draft.status.candidate_version or "", draft.status.stable_version or ""
    return (candidate,) if draft.status.undoing else (stable, candidate)


def versions_have_backends(draft: Draft) -> Closed | None:
    for version in (draft.status.stable_version or "", draft.status.candidate_version or ""):
        if version not in draft.facts.versions:
            return Closed(Reason.BACKEND_NOT_FOUND, f"{version} {draft.facts.no_backend}")
    return None


def versions_are_ready(draft: Draft) -> Closed | None:
    for version in _needed(draft):
        if version in draft.facts.asleep:
            return Closed(Reason.WAKING_UP, f"{version} sleeps at 0 replicas: it is woken up")
        if problem := draft.facts.ready.get(version):
            return Closed(Reason.NOT_READY, f"{version} is not ready: {problem}")
    return None


def route_is_in_force(draft: Draft) -> Closed | None:
    wanted = wanted_route(draft.status)
    if wanted is None:
        return Closed(Reason.STABLE_UNKNOWN, "no stable version is known")
    down = [route for route in draft.facts.routes if not route.reachable]
    if down and down[0].reason is Reason.ROUTER_DOWN:
        return Closed(Reason.ROUTER_DOWN, f"the router {down[0].name} does not answer: {down[0].problem}")
    if wrong := down or [route for route in draft.facts.routes if route.problem]:
        return Closed(wrong[0].reason, f"{wrong[0].name}: {wrong[0].problem}")
    for route in draft.facts.routes if draft.status.phase is Phase.PREFLIGHT else ():
        if route.is_adopted and route.owner != wanted.stable:
            seen = ", ".join(f"{version} {share / 100:g} %" for version, share in sorted((route.shares or {}).items()))
            remedy = f"give {wanted.stable}, which is recorded as stable, all the weight"
            return Closed(Reason.ROUTE_REFUSED, f"{route.name} is in use otherwise ({seen}): {remedy}")
    if in_force(wanted, draft.facts.routes):
        return None
    late = [route for route in draft.facts.routes if not route.programmed]
    if late and draft.status.phase is Phase.PREFLIGHT and is_as_wanted(wanted, late[0]):
        return Closed(Reason.ROUTE_NOT_ACCEPTED, f"{late[0].name}: {late[0].waiting}")
    return Closed(Reason.WEIGHT_PENDING, f"waits for the router to carry out: {wanted}")


def metrics_can_be_read(draft: Draft) -> Closed | None:
    if draft.status.undoing:
        return None  # what is gone back to was in use before, and may be all that works
    if draft.facts.round is None:
        return Closed(Reason.CHECKING, "reads the metrics once before any traffic moves")
    round_ = draft.facts.round
    readings = [*round_.kpis.items(), *round_.responses.items()]
    readings += [("spendCap", round_.spend)] if round_.spend is not None else []
    for name, reading in readings:
        if reading.problem:
            return Closed(Reason.SOURCE_ERROR, f"{name} cannot be read: {reading.problem}")
    return None


def candidate_answers(draft: Draft) -> Closed | None:
    if not draft.status.unready_looks:
        return None
    return Closed(Reason.NOT_READY, f"{draft.status.candidate_version} does not answer: no user is sent there")
