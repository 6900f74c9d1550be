"""Gates before any traffic: can both versions be reached, told apart and judged?"""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.engine.routes.wanted import is_effective, wanted_weight
from rollout.model.status.vocabulary import Phase, Reason


def versions_have_backends(context: PlanContext) -> Blocked | None:
    for version in (context.status.stable_version or "", context.status.candidate_version or ""):
        if version not in context.facts.versions:
            return Blocked(Reason.BACKEND_NOT_FOUND, f"{version} {context.facts.no_backend}")
    return None


def versions_are_ready(context: PlanContext) -> Blocked | None:
    """The candidate first: a stable version that is down never locks out its fix."""
    status = context.status
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    if candidate in context.facts.asleep:
        return Blocked(Reason.WAKING_UP, f"{candidate} is scaled to 0: scaling it up")
    if problem := context.facts.ready.get(candidate):
        return Blocked(Reason.NOT_READY, f"{candidate} is not ready: {problem}")
    problem = "it is scaled to 0" if stable in context.facts.asleep else context.facts.ready.get(stable)
    if problem and not context.release.undoing and not context.release.stable_passed_by:
        remedy = f"Fix {stable}, or send all traffic to {candidate}: rollout promote --reason …"
        return Blocked(Reason.STABLE_DOWN, f"the stable version {stable} is not ready: {problem}. {remedy}")
    return None


def weight_is_effective(context: PlanContext) -> Blocked | None:
    wanted = wanted_weight(context.status)
    if wanted is None:
        return Blocked(Reason.STABLE_UNKNOWN, "no stable version is known")
    down = [route for route in context.facts.routes if not route.reachable]
    if down and down[0].reason is Reason.ROUTER_DOWN:
        return Blocked(Reason.ROUTER_DOWN, f"the router {down[0].name} does not answer: {down[0].problem}")
    if wrong := down or [route for route in context.facts.routes if route.problem]:
        return Blocked(wrong[0].reason, f"{wrong[0].name}: {wrong[0].problem}")
    for route in context.borrowed if context.status.phase is Phase.PREFLIGHT else ():
        if route.owner != wanted.stable:
            seen = ", ".join(f"{version} {share / 100:g} %" for version, share in sorted(route.shares.items()))
            remedy = f"give {wanted.stable}, which is recorded as stable, all the weight"
            return Blocked(Reason.ROUTE_REFUSED, f"{route.name} is in use otherwise ({seen}): {remedy}")
    if is_effective(wanted, context.facts.routes):
        return None
    late = [route for route in context.facts.routes if not route.programmed]
    if context.status.phase is Phase.PREFLIGHT and context.borrowed:
        return Blocked(Reason.ROUTE_NOT_ACCEPTED, f"{late[0].name}: {late[0].waiting}") if late else None
    denied = [
        f". {route.name}: the change was denied: {route.denied}" for route in context.facts.routes if route.denied
    ]
    return Blocked(Reason.WEIGHT_PENDING, f"the weight is pending: {wanted}{''.join(denied)}")


def nothing_acts_twice(context: PlanContext) -> Blocked | None:
    """An agent's call has side effects: who repeats requests says that it may."""
    if context.spec.conversations.repeatable or context.release.undoing:
        return None
    for route in context.borrowed:
        if route.repeats:
            remedy = "take it out, or set conversations.repeatable: true if no tool of the agent minds"
            return Blocked(Reason.ROUTE_REFUSED, f"{route.name}: {route.repeats[0]}: {remedy}")
    return None


def backends_are_listed(context: PlanContext) -> Blocked | None:
    """A route that is managed gets the candidate's backend last, once everything it refers to is there."""
    candidate = context.status.candidate_version or ""
    lacking = [route.name for route in context.borrowed if route.managed and candidate in route.missing]
    if not lacking:
        return None
    return Blocked(
        Reason.BACKEND_UNLISTED, f"adding a backend for {candidate}, at weight 0, to {messages.listed(lacking)}"
    )


def metrics_can_be_read(context: PlanContext) -> Blocked | None:
    if context.release.undoing or context.release.stable_passed_by:
        return None  # what is gone back to was in use before, and may be all that works; who is passed cannot answer
    if context.facts.round is None:
        return Blocked(Reason.CHECKING, "reading the metrics once before any traffic moves")
    round_ = context.facts.round
    readings = [*round_.kpis.items(), *round_.responses.items(), ("the counter of requests", round_.requests)]
    readings += [("spendCap", round_.spend)] if round_.spend is not None else []
    for name, reading in readings:
        if reading.problem:
            return Blocked(Reason.SOURCE_ERROR, f"{name} cannot be read: {reading.problem}")
    return None


def candidate_answers(context: PlanContext) -> Blocked | None:
    if not context.release.unready_samples:
        return None
    return Blocked(Reason.NOT_READY, f"{context.status.candidate_version} does not answer: no user is sent there")
