"""Draining: a version that lost keeps the conversations it has, until they end or nobody waits for them any longer."""

from __future__ import annotations

from datetime import datetime

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.conversations.going_on import may_go_on
from rollout.engine.effects import Effect, ScaleDown
from rollout.engine.facts import OpenConversations
from rollout.engine.route_facts import OwnRoute, RouteFacts
from rollout.model.agent_state import Axis
from rollout.model.status.conversations import Draining
from rollout.model.status.vocabulary import Reason

SETTLES_S = 10.0
"""So long none must be open: a conversation may have begun while the weight was on its way."""

SCALES_S = 60.0
"""So long a version is asked to sleep; what an autoscaler keeps awake is left to it."""

UNREADY_MAX = 3
"""A version that did not answer so many times in a row keeps nobody's conversation."""


def begin_drain(context: PlanContext, version: str, axis: Axis) -> dict[str, Draining]:
    """Return the versions that are drained, with one more: where conversations are pinned, it keeps its own.

    Args:
        axis: in which direction its conversations would move: forward where they go back to stable.
    """
    draining = {name: drain for name, drain in context.status.draining.items() if name != version}
    if context.spec.conversations.pin is None:
        return draining
    policy = context.policy.drain
    began = Draining(
        since=context.now,
        deadline=context.later(policy.deadline_s),
        then=policy.then,
        may_move=may_go_on(context, version, axis),
        was_stable=axis is Axis.BACKWARD,
        scales_down=policy.scale_down and context.spec.backends.deployment is not None,
    )
    return {**draining, version: began}


def follow_drains(context: PlanContext) -> None:
    """Count what is open on each version that is drained, and end the drain where nothing is."""
    status = context.status
    if status.goes_back or not status.draining:
        return  # then nothing but the route was asked
    draining = {}
    for version, drain in status.draining.items():
        if version == status.stable_version or (status.is_active and version == status.candidate_version):
            continue  # it is in use again
        after = _follow(context, version, drain)
        if not (after.done and _is_let_go(context, version, after)):
            draining[version] = after
    if draining != status.draining:
        context.update(draining=draining)


def scale_down(context: PlanContext) -> tuple[Effect, ...]:
    """Put versions to sleep that are drained, once no route sends them anybody and nobody may need to go back."""
    if context.is_standby:
        return ()
    draining = context.status.draining
    over = [name for name, drain in draining.items() if drain.done and drain.scales_down and drain.asked_at is None]
    asked = [version for version in over if _has_no_traffic(context, version)]
    if asked:
        later = {version: draining[version].changed(asked_at=context.now) for version in asked}
        context.update(draining={**draining, **later})
    return tuple(ScaleDown(version) for version, drain in context.status.draining.items() if drain.asked_at is not None)


def _follow(context: PlanContext, version: str, drain: Draining) -> Draining:
    if drain.done:
        return drain
    if version not in context.facts.versions:
        return _over(context, drain, f"{version} has no backend any more, so its conversations go on elsewhere")
    seen = context.facts.conversations.get(version)
    unready = drain.unready + 1 if context.facts.ready.get(version) else 0
    drain = drain.changed(unready=unready if version in context.facts.ready else drain.unready)
    if seen is not None:
        drain = drain.changed(
            open=seen.open, problem=seen.problem, empty_since=_empty_since(context, version, drain, seen)
        )
    if drain.unready >= UNREADY_MAX:
        problem = context.facts.ready.get(version, "")
        return _over(context, drain, f"{version} does not answer any more, so its conversations move: {problem}")
    if drain.empty_since is not None and context.since(drain.empty_since) >= SETTLES_S:
        return _over(context, drain, f"{version} is drained: none of its conversations is open")
    if drain.deadline is None or context.now < drain.deadline or drain.late:
        return drain
    return _at_the_deadline(context, version, drain)


def _at_the_deadline(context: PlanContext, version: str, drain: Draining) -> Draining:
    many = messages.open_conversations(drain.open)
    if drain.then == "end":
        return _over(context, drain, f"the drain deadline of {version} has passed: {many} are ended")
    if drain.then == "handOver" and drain.may_move:
        stable = context.status.stable_version
        return _over(context, drain, f"the drain deadline of {version} has passed: {many} go on with {stable}")
    why = ", for no contract says that they can go on elsewhere" if drain.then == "handOver" else ""
    message = f"the drain deadline of {version} has passed: {many} stay on it{why}"
    context.record("traffic", message=message, reason=Reason.DRAINING)
    return drain.changed(late=True)


def _over(context: PlanContext, drain: Draining, message: str) -> Draining:
    context.record("traffic", message=message, reason=Reason.DRAINED)
    return drain.changed(done=True)


def _empty_since(context: PlanContext, version: str, drain: Draining, seen: OpenConversations) -> datetime | None:
    """Return since when a version has no open conversation, nor a request under way where the router counts them."""
    under_way = sum(route.active.get(version, 0) for route in context.facts.routes)
    return None if seen.open != 0 or under_way else drain.empty_since or context.now


def _is_let_go(context: PlanContext, version: str, drain: Draining) -> bool:
    """Whether nothing is left to be done about a version whose drain is over."""
    if not _has_no_traffic(context, version):
        return False
    tried = drain.asked_at is not None and context.since(drain.asked_at) >= SCALES_S  # somebody else may scale it
    return not drain.scales_down or version in context.facts.asleep or tried


def _has_no_traffic(context: PlanContext, version: str) -> bool:
    """Whether no route sends anybody to a version, by what was read of each."""
    return all(route.gone or _sends_nobody(route, version) for route in context.facts.routes)


def _sends_nobody(route: RouteFacts, version: str) -> bool:
    if not route.reachable or route.pins is None or version in (*route.pins.versions, route.pins.started):
        return False
    return isinstance(route, OwnRoute) or not route.shares.get(version)
