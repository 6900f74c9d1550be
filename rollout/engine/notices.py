"""Who is to be told what: written into the status first, delivered at the edge, and forgotten once it is.

What is worth telling is read off two statuses, so that every way there is told alike. Nobody waits for a delivery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.model.api.notifications import Notifications
from rollout.model.notice_kinds import NoticeKind
from rollout.model.status.notices import Notice
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result

DELIVERED_WITHIN_S = 3600.0
NOTICES_MAX = 20
NOTIFIED_KEPT = 60
MESSAGE_MAX = 1000


def note_notices(context: PlanContext, before: Status) -> None:
    """Take in what was delivered, and write down what is new.

    Args:
        before: the status as it was observed.
    """
    notifications = context.policy.notifications
    if notifications is None or not notifications.targets:
        if context.status.notices:
            context.update(notices=())
        return
    kept = tuple(_followed(context, notifications))
    fresh = tuple(_fresh(context, before, notifications))
    for lost in (kept + fresh)[:-NOTICES_MAX]:
        _give_up(context, lost, "too many others wait")
    notices = (kept + fresh)[-NOTICES_MAX:]
    if notices != context.status.notices:
        notified = (*context.status.notified, *(notice.id for notice in fresh))
        context.update(notices=notices, notified=notified[-NOTIFIED_KEPT:])


def _followed(context: PlanContext, notifications: Notifications) -> Iterator[Notice]:
    """Yield the notices that are still to be delivered, to those targets that there still are."""
    names = {target.name for target in notifications.targets}
    for notice in context.status.notices:
        deliveries = {name: context.facts.deliveries.get(f"{notice.id}/{name}") for name in notice.pending}
        pending = []
        for name, delivery in deliveries.items():
            if name not in names or (delivery is not None and delivery.delivered):
                continue
            if context.now >= notice.deadline or (delivery is not None and delivery.given_up):
                _give_up(context, notice, delivery.message if delivery else "nobody has tried", name)
            else:
                pending.append(name)
        if pending:
            yield notice if tuple(pending) == notice.pending else notice.model_copy(update={"pending": tuple(pending)})


def _give_up(context: PlanContext, notice: Notice, why: str, target: str = "") -> None:
    whom = target or messages.listed(notice.pending)
    message = f"the notification of {notice.kind} was not delivered to {whom}: {why}"
    context.record("check", message=message, reason=Reason.NOT_NOTIFIED)


def _fresh(context: PlanContext, before: Status, notifications: Notifications) -> Iterator[Notice]:
    status, release = context.status, context.status.latest
    began = str(int(release.started_at.timestamp())) if release.started_at else "0"
    for kind, message, detail in _news(context, before):
        notice_id = "-".join(part for part in (began, release.candidate_version or "none", kind, detail) if part)
        pending = tuple(target.name for target in notifications.targets if kind in target.events)
        if not pending or notice_id in status.notified:
            continue
        yield Notice(
            id=notice_id,
            kind=kind,
            at=context.now,
            deadline=context.later(DELIVERED_WITHIN_S),
            pending=pending,
            message=message[:MESSAGE_MAX],
            stable=status.stable_version or "",
            candidate=release.candidate_version,
            weight_bp=release.traffic.wanted_bp,
            release=began,
        )


def _news(context: PlanContext, before: Status) -> Iterator[tuple[NoticeKind, str, str]]:
    """Yield what has come about: its kind, in words, and what tells it from another of its kind in this release."""
    status, release, earlier = context.status, context.status.latest, before.latest
    same = release.started_at == earlier.started_at and release.candidate_version == earlier.candidate_version
    if status.is_active and not same and release.started_at is not None:
        versions = f"{status.stable_version} to {release.candidate_version}"
        yield "started", f"the release from {versions} has started{' (undo)' if release.undoing else ''}", ""
    yield from _steps(context, before, same=same)
    if status.phase is not before.phase:
        moment = str(int(context.now.timestamp()))
        if status.phase is Phase.PAUSED and status.held_by is HeldBy.APPROVAL:
            yield "needsApproval", status.message, moment
        elif status.phase in (Phase.PAUSED, Phase.FROZEN):
            yield "paused", status.message, moment
        elif status.phase is Phase.ROLLING_BACK:
            yield "rollingBack", status.message, ""
    if release.result is not None and (release.result is not earlier.result or not same):
        yield "promoted" if release.result is Result.PROMOTED else "rolledBack", status.message, ""
    yield from _troubles(context, before, same=same)


def _steps(context: PlanContext, before: Status, *, same: bool) -> Iterator[tuple[NoticeKind, str, str]]:
    step, release = before.latest.step, context.status.latest
    onward = release.step > step or (context.status.phase is Phase.BAKING and before.phase is not Phase.BAKING)
    steps = context.strategy.steps if context.status.is_active else ()
    if same and onward and before.resume_to is not Phase.BAKING and step < len(steps):
        weight = messages.weight(steps[step].weight_bp)
        yield "stepPassed", f"step {step + 1} of {len(steps)} ({weight}) passed", str(step + 1)


def _troubles(context: PlanContext, before: Status, *, same: bool) -> Iterator[tuple[NoticeKind, str, str]]:
    status, release = context.status, context.status.latest
    if release.identity_drift and (not same or release.identity_drift != before.latest.identity_drift):
        yield "drift", f"changed since the release began: {release.identity_drift}", _digest(release.identity_drift)
    if same and release.traffic.drifts > before.latest.traffic.drifts:
        edited = [decision.message for decision in context.decisions if decision.reason is Reason.WEIGHT_DRIFT]
        message = edited[-1] if edited else "the weights were changed by somebody else, and are put back"
        yield "drift", message, f"weights-{release.step}"
    if status.blocked is not None and (before.blocked is None or before.blocked.message != status.blocked.message):
        yield "stuck", status.blocked.message, _digest(status.blocked.message)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
