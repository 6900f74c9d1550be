"""Who is to be told what: written into the status first, delivered at the edge, and forgotten once it is.

What is worth telling is read off two statuses, so that every way there is told alike. Nobody waits for a delivery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.facts import DeliveryFact
from rollout.model.api.notifications import Notifications
from rollout.model.notice_kinds import NoticeKind
from rollout.model.status.notices import Notice
from rollout.model.status.release import Release
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
                _give_up(context, notice, _why(delivery), name)
            else:
                pending.append(name)
        if pending:
            yield notice if tuple(pending) == notice.pending else notice.model_copy(update={"pending": tuple(pending)})


def _why(delivery: DeliveryFact | None) -> str:
    return delivery.message if delivery is not None and delivery.message else "nobody was there to do it in time"


def _give_up(context: PlanContext, notice: Notice, why: str, target: str = "") -> None:
    whom = target or messages.listed(notice.pending)
    message = f"the notification of {notice.kind} was not delivered to {whom}: {why}"
    context.record("check", message=message, reason=Reason.NOT_NOTIFIED)


def settled(status: Status, deliveries: Mapping[str, DeliveryFact]) -> Status:
    """Return a status without what was delivered: for whoever plans nothing more."""
    notices = []
    for notice in status.notices:
        pending = tuple(name for name in notice.pending if not _is_delivered(deliveries, notice, name))
        if pending:
            notices.append(notice if pending == notice.pending else notice.model_copy(update={"pending": pending}))
    return status.model_copy(update={"notices": tuple(notices)})


def _is_delivered(deliveries: Mapping[str, DeliveryFact], notice: Notice, name: str) -> bool:
    delivery = deliveries.get(f"{notice.id}/{name}")
    return delivery is not None and delivery.delivered


def _fresh(context: PlanContext, before: Status, notifications: Notifications) -> Iterator[Notice]:
    for news in _news(context, before):
        release = news.release
        began = str(int(release.started_at.timestamp())) if release.started_at else "0"
        parts = (began, release.candidate_version or "none", news.kind, news.detail)
        notice_id = "-".join(part for part in parts if part)
        pending = tuple(target.name for target in notifications.targets if news.kind in target.events)
        if not pending or notice_id in context.status.notified:
            continue
        yield Notice(
            id=notice_id,
            kind=news.kind,
            at=context.now,
            deadline=context.later(DELIVERED_WITHIN_S),
            pending=pending,
            message=news.message[:MESSAGE_MAX],
            stable=before.stable_version or "",
            candidate=release.candidate_version,
            weight_bp=release.traffic.wanted_bp if news.weight_bp is None else news.weight_bp,
            release=began,
        )


@dataclass(frozen=True, slots=True)
class _News:
    """What has come about in a release.

    Attributes:
        detail: what tells it from another of its kind in this release.
        weight_bp: what it is about; None: the weight as it is now.
    """

    kind: NoticeKind
    message: str
    release: Release
    detail: str = ""
    weight_bp: int | None = None


def _news(context: PlanContext, before: Status) -> Iterator[_News]:
    status, release, earlier = context.status, context.status.latest, before.latest
    same = _is_same(release, earlier)
    if not same and before.phase is Phase.SUPERSEDING:
        message = f"{earlier.candidate_version} was superseded: {context.spec.version} is wanted"
        yield _News("rolledBack", message, earlier)
    if status.is_active and not same and release.started_at is not None:
        versions = f"{status.stable_version} to {release.candidate_version}"
        undo = " (undo)" if release.undoing else ""
        yield _News("started", f"the release from {versions} has started{undo}", release)
    yield from _steps(context, before, same=same)
    if status.phase is not before.phase:
        yield from _moves(context, before)
    if _is_over(status) and not (same and _is_over(before)):
        yield _News("promoted" if release.result is Result.PROMOTED else "rolledBack", status.message, release)
    yield from _troubles(context, before, same=same)


def _is_same(release: Release, other: Release) -> bool:
    return release.started_at == other.started_at and release.candidate_version == other.candidate_version


def _is_over(status: Status) -> bool:
    """Whether the release has its result, and the traffic is where that says: a way back has to be effective."""
    return status.latest.result is not None and not status.goes_back


def _moves(context: PlanContext, before: Status) -> Iterator[_News]:
    """Yield what another phase means to people."""
    status, release = context.status, context.status.latest
    moment = str(int(context.now.timestamp()))
    match status.phase:
        case Phase.PAUSED if status.held_by is HeldBy.APPROVAL:
            yield _News("needsApproval", status.message, release, moment)
        case Phase.PAUSED | Phase.FROZEN:
            yield _News("paused", status.message, release, moment)
        case Phase.ROLLING_BACK | Phase.SUPERSEDING:
            yield _News("rollingBack", status.message, release)
        case _ if before.phase in (Phase.PAUSED, Phase.FROZEN) and status.is_active and not _is_over(status):
            yield _News("resumed", f"the release goes on: {status.message}", release, moment)


def _steps(context: PlanContext, before: Status, *, same: bool) -> Iterator[_News]:
    step, release = before.latest.step, context.status.latest
    onward = release.step > step or (context.status.phase is Phase.BAKING and before.phase is not Phase.BAKING)
    steps = context.strategy.steps if context.status.is_active else ()
    if same and onward and before.resume_to is not Phase.BAKING and step < len(steps):
        weight_bp = steps[step].weight_bp
        label = messages.weight(weight_bp) if weight_bp else "preview"
        message = f"step {step + 1} of {len(steps)} ({label}) passed"
        yield _News("stepPassed", message, release, str(step + 1), weight_bp)


def _troubles(context: PlanContext, before: Status, *, same: bool) -> Iterator[_News]:
    status, release = context.status, context.status.latest
    changed = release.identity_drift
    if changed and (not same or changed != before.latest.identity_drift):
        yield _News("drift", f"changed since the release began: {changed}", release, _digest(changed))
    if same and release.traffic.drifts > before.latest.traffic.drifts:
        edited = [decision.message for decision in context.decisions if decision.reason is Reason.WEIGHT_DRIFT]
        message = edited[-1] if edited else "the weights were changed by somebody else, and are put back"
        yield _News("drift", message, release, f"weights-{release.step}")
    if status.blocked is not None and (before.blocked is None or before.blocked.message != status.blocked.message):
        yield _News("stuck", status.blocked.message, release, _digest(status.blocked.message))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
