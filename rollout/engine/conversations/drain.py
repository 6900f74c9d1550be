"""Draining: a version that lost keeps the conversations it has, until they end or nobody waits for them any longer."""

from __future__ import annotations

from datetime import datetime, timedelta

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.conversations.movable import may_move
from rollout.engine.effects import Effect, ScaleDown
from rollout.engine.facts import ConversationCount
from rollout.engine.route_facts import OwnRoute, RouteFacts
from rollout.model.agent_state import Axis
from rollout.model.status.conversations import Draining
from rollout.model.status.vocabulary import Reason

SETTLES_S = 10.0
"""So far apart are two counts of none: a conversation may have begun while the weight was on its way."""

SLEEPS_AFTER_S = 300.0
"""So long after it lost, at most, a candidate that was scaled up for its release is scaled to 0 again."""

SCALES_S = 60.0
"""So long a version is asked to sleep; what an autoscaler keeps awake is left to it."""

UNREADY_S = 60.0
"""A version that has not answered for so long keeps nobody's conversation: a pod may come up again elsewhere."""


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
        problem="they have not been counted yet",
        may_move=may_move(context, axis),
        was_stable=axis is Axis.BACKWARD,
        scales_down=policy.scale_down and context.spec.backends.deployment is not None,
    )
    return {**draining, version: began}


def begin_sleep(context: PlanContext, draining: dict[str, Draining]) -> dict[str, Draining]:
    """Return the versions that are drained; a candidate that was scaled up for a release, and lost, sleeps again."""
    candidate = context.status.candidate_version
    before = context.status.draining.get(candidate or "")
    if candidate is None or not (context.release.woken == candidate or (before is not None and before.was_woken)):
        return draining
    if (kept := draining.get(candidate)) is not None:
        return {**draining, candidate: kept.changed(scales_down=True)}
    # Nobody keeps a conversation there; requests that are under way have this long to end.
    patience_s = min(context.policy.drain.deadline_s, SLEEPS_AFTER_S) if context.release.served else 0.0
    deadline = context.later(patience_s)
    woken = Draining(since=context.now, deadline=deadline, then="end", open=0, scales_down=True, was_woken=True)
    return {**draining, candidate: woken}


def follow_drains(context: PlanContext) -> None:
    """Count what is open on each version that is drained, and end the drain where nothing is."""
    status = context.status
    if context.facts.resource.leaving and status.draining:
        context.update(draining={})  # what keeps conversations goes with the Rollout
        return
    if status.goes_back or not status.draining:
        return  # then nothing but the route was asked
    draining = {}
    for version, drain in status.draining.items():
        if version == status.stable_version:
            continue  # it is in use again
        if status.is_active and version == status.candidate_version:
            draining[version] = drain  # it may become stable again, or be refused: then it is drained as before
            continue
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
    in_use = (context.status.stable_version, context.status.candidate_version if context.status.is_active else None)
    over = [
        name
        for name, drain in draining.items()
        if drain.done and drain.scales_down and drain.asked_at is None and name not in in_use
    ]
    asked = [
        version for version in over if _has_no_traffic(context, version) and not _is_used_elsewhere(context, version)
    ]
    if asked:
        later = {version: draining[version].changed(asked_at=context.now) for version in asked}
        context.update(draining={**draining, **later})
    asleep = (version for version, drain in context.status.draining.items() if drain.asked_at is not None)
    return tuple(ScaleDown(version) for version in asleep if version not in in_use)


def _follow(context: PlanContext, version: str, drain: Draining) -> Draining:
    if drain.done:
        return drain
    if version in context.facts.unlisted:
        return _over(context, drain, f"{version} has no backend any more, so its conversations go on elsewhere")
    if drain.was_woken:
        under_way = sum(route.active.get(version, 0) for route in context.facts.routes)
        is_late = drain.deadline is None or context.now >= drain.deadline
        message = f"{version} was scaled up for its release, and is scaled to 0 again"
        return _over(context, drain, message) if is_late or not (under_way or context.borrowed) else drain
    drain = _asked(context, version, drain)
    if drain.unready_since is not None and context.since(drain.unready_since) >= UNREADY_S:
        problem = context.facts.ready.get(version, "")
        return _over(context, drain, f"{version} does not answer any more, so its conversations move: {problem}")
    seen = context.facts.conversations.get(version)
    if seen is not None:
        counted_at = context.now - timedelta(seconds=seen.age_s)
        empty_since = _empty_since(context, version, drain, seen, counted_at)
        drain = drain.changed(open=seen.open, problem=seen.problem, empty_since=empty_since)
        if empty_since is not None and (counted_at - empty_since).total_seconds() >= SETTLES_S:
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


def _asked(context: PlanContext, version: str, drain: Draining) -> Draining:
    """Note since when a version does not answer; where it was not asked, nothing is known that was not before."""
    if version not in context.facts.ready:
        return drain
    is_unready = bool(context.facts.ready[version])
    return drain.changed(unready_since=(drain.unready_since or context.now) if is_unready else None)


def _empty_since(
    context: PlanContext, version: str, drain: Draining, seen: ConversationCount, counted_at: datetime
) -> datetime | None:
    """Return since when a version has no open conversation, nor a request under way where the router counts them."""
    under_way = sum(route.active.get(version, 0) for route in context.facts.routes)
    if seen.open != 0 or under_way or counted_at < drain.since:
        return None
    return drain.empty_since or counted_at


def _is_let_go(context: PlanContext, version: str, drain: Draining) -> bool:
    """Whether nothing is left to be done about a version whose drain is over."""
    if not _has_no_traffic(context, version):
        return False
    if drain.scales_down and _is_used_elsewhere(context, version):
        return True  # other rules send it requests: it stays awake
    tried = drain.asked_at is not None and context.since(drain.asked_at) >= SCALES_S  # somebody else may scale it
    return not drain.scales_down or version in context.facts.asleep or tried


def _has_no_traffic(context: PlanContext, version: str) -> bool:
    """Whether no route sends anybody to a version, by what was read of each."""
    return all(_sends_nobody(route, version) for route in context.facts.routes)


def _is_used_elsewhere(context: PlanContext, version: str) -> bool:
    """Whether another rule of a route sends requests to a version."""
    return any(version in route.elsewhere for route in context.borrowed)


def _sends_nobody(route: RouteFacts, version: str) -> bool:
    if route.pins is None or version in (*route.pins.versions, route.pins.started):
        return False
    if route.gone:
        return True
    return route.reachable and (isinstance(route, OwnRoute) or not route.shares.get(version))
