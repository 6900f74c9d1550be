"""At rest: which version is stable, and whether a release is to begin."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.eligibility import starts_by_itself
from rollout.engine.start import begin
from rollout.engine.transitions import Event
from rollout.model.status.vocabulary import Reason


def stable(context: PlanContext) -> None:
    if context.status.stable_version is None:
        _find_stable(context)
    else:
        start_if_wanted(context)


def rolled_back(context: PlanContext) -> None:
    start_if_wanted(context)


def start_if_wanted(context: PlanContext) -> bool:
    """Start a rollout of the declared version, unless it is stable, was turned down, or has failed."""
    wanted, status = context.spec.version, context.status
    if wanted is None or context.facts.resource.barred or not starts_by_itself(status, wanted):
        return False
    begin(context, Event.START, f"{wanted} is wanted, {status.stable_version} is stable", candidate=wanted, retries=0)
    return True


def _find_stable(context: PlanContext) -> None:
    """The stable version, where none is recorded: all the traffic's, or the only one there is."""
    owners = {route.owner for route in context.facts.routes}
    if context.spec.is_local:
        owners.discard(None)  # an Envoy that has not been started yet says nothing
    if not owners and context.spec.is_local and len(context.facts.versions) == 1:
        owners = {context.facts.versions[0]}
    if len(owners) == 1 and (owner := owners.pop()) is not None and owner in context.facts.versions:
        context.update(stable_version=owner, reason=Reason.SETTLED, message=f"{owner} is stable")
        context.record("transition")
        return
    context.wait(Reason.STABLE_UNKNOWN, f"the stable version is not known: {_why_unknown(context)}")


def _why_unknown(context: PlanContext) -> str:
    """Say what was found, never a guess at something else."""
    if context.spec.is_local:
        return "set it with `rollout start VERSION --stable VERSION`, or in spec.version"
    causes = []
    for route in context.borrowed:
        if not route.reachable:
            causes.append(f"{route.name}: {route.problem}")
        elif route.owner is None:
            seen = [f"{version} has {messages.weight(share)}" for version, share in sorted(route.shares.items())]
            causes.append(
                f"{route.name}: {messages.listed(seen) or 'no backend is of a version'}; give one all the weight"
            )
        elif route.owner not in context.facts.versions:
            causes.append(
                f"{route.name}: {route.owner} has all the weight, and {route.owner} {context.facts.no_backend}"
            )
        else:
            causes.append(f"{route.name}: {route.owner} has all the weight")
    return "; ".join(causes)
