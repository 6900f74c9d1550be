"""The way back: all traffic to stable, verified."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.capacity import going_back
from rollout.engine.context import PlanContext
from rollout.engine.conversations.drain import begin_drain, begin_sleep
from rollout.engine.conversations.pins import stays_on_candidate
from rollout.engine.eligibility import failed_after
from rollout.engine.routes.adoption import removable
from rollout.engine.routes.wanted import is_restored, wanted_weight
from rollout.engine.transitions import Event
from rollout.model.agent_state import Axis
from rollout.model.status.conversations import Draining
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Reason, Result


def rolling_back(context: PlanContext) -> None:
    _to_stable(context)
    if _stable_has_all(context) and not (context.facts.resource.leaving and removable(context)):
        result = context.release.result or Result.ROLLED_BACK
        why = context.status.message
        context.go(
            Event.RESTORED,
            context.status.reason,
            _restored(context),
            release=context.changed(result=result),
            draining=_drained(context),
        )
        context.update(message=why)
        if result is Result.ROLLED_BACK:
            context.update(failed=failed_after(context.status, always=True))


def superseding(context: PlanContext) -> None:
    _to_stable(context)
    if _stable_has_all(context):
        draining = _drained(context)
        context.go(Event.RESTORED, Reason.SUPERSEDED, _restored(context), release=None, draining=draining)


def _drained(context: PlanContext) -> dict[str, Draining]:
    """Return the versions that are drained: also the candidate, where it has begun conversations and keeps them."""
    candidate = context.status.candidate_version or ""
    if not context.release.served or not stays_on_candidate(context):
        others = {version: drain for version, drain in context.status.draining.items() if version != candidate}
        return begin_sleep(context, others)
    return begin_sleep(context, begin_drain(context, candidate, Axis.FORWARD))


def _restored(context: PlanContext) -> str:
    """Say what is back; what a route gives to others than our versions was never this release's to take back."""
    beside = [f"{route.name}: {route.problem}" for route in context.facts.routes if route.reachable and route.problem]
    if not beside:
        return f"all traffic is back on {context.status.stable_version}"
    return f"all that the candidate had is back on {context.status.stable_version}, but {messages.listed(beside)}"


def _to_stable(context: PlanContext) -> None:
    """Ask for the candidate's weight to be 0. Nothing can stand in the way: no gate, no metrics, no store."""
    if context.release.traffic.wanted_bp != 0 or context.release.traffic.preview_header is not None:
        if lacking := going_back(context):
            context.update(message=f"{context.status.message}. {lacking}")
            context.record("traffic")
        context.update_release(traffic=Traffic(wanted_bp=0, asked_at=context.now), window_since=None)


def _stable_has_all(context: PlanContext) -> bool:
    """Whether the route sends everything to stable, seen after it was set: a weight may still be on its way."""
    wanted, asked_at = wanted_weight(context.status), context.release.traffic.asked_at
    if wanted is None or asked_at == context.now:
        return False
    if context.borrowed and asked_at is None:
        return True  # it was never moved
    return is_restored(wanted, context.facts.routes, leaving=context.facts.resource.leaving)
