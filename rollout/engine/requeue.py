"""When to come again: decided here, for every wiring."""

from __future__ import annotations

from datetime import datetime
from math import inf

from rollout.engine.context import PlanContext
from rollout.engine.effects import Effect
from rollout.engine.eligibility import starts_by_itself
from rollout.engine.transitions import OBSERVED
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase

AT_ONCE_S = 0.05
"""After something changed: how soon to go on."""

VERIFY_S = 0.25
"""After an effect: how soon to see whether it took effect."""

IDLE_S = 1.0
"""How soon to look for commands and for the router's answer, where nobody tells of them."""

ACTIVE_MAX_S = 2.0
"""A release that is under way is reconciled this often at least: deadlines, and what no watch tells."""

STEADY = (Phase.OBSERVING, Phase.BAKING, Phase.PAUSED, Phase.FROZEN)
"""Phases in which nothing moves between two samples."""

DRAIN_EVERY_S = 10.0
"""How often open conversations are counted where nothing else is under way."""

SAMPLE_LATE_S = 10.0
"""Whoever is woken by its samples comes by itself where one is so late."""

NOTICE_S = 2.0
"""How soon to see whether people were told; what could not be told at once is tried less often."""

NOTICE_FRESH_S = 60.0

WAITING_S = 15.0
"""What waits for something that no watch tells: a release that cannot begin, a version that is not back in its role."""


def is_sample_due(status: Status, now: datetime) -> bool:
    """Whether counters are to be read now: in time, or because the clock has stepped back."""
    if status.phase not in OBSERVED:
        return False
    release = status.latest
    stepped_back = release.sampled_at is not None and now < release.sampled_at
    return stepped_back or release.next_sample_at is None or now >= release.next_sample_at


def requeue_after_s(before: Status, context: PlanContext, effects: tuple[Effect, ...]) -> float | None:
    """Return when to come again, in seconds; None: when something changes.

    Args:
        before: the status as it was observed.
    """
    after_s, notices = _after_s(before, context, effects), context.status.notices
    if not notices:
        return after_s
    fresh = any(context.since(notice.at) < NOTICE_FRESH_S for notice in notices)
    notice_s = NOTICE_S if fresh else WAITING_S
    return min(after_s or notice_s, notice_s)


def _after_s(before: Status, context: PlanContext, effects: tuple[Effect, ...]) -> float | None:
    after = context.status
    soon_s = _soon_s(before, context, effects)
    if not context.facts.resource.is_watched:
        return soon_s
    if after.is_active:
        moves = effects or any(decision.kind != "sample" for decision in context.decisions)
        if not moves and _is_steady(context):
            return max(AT_ONCE_S, min(_until_sample_s(context) + SAMPLE_LATE_S, _until_deadline_s(context)))
        moves = moves or soon_s < IDLE_S
        return min(ACTIVE_MAX_S, soon_s if moves else max(AT_ONCE_S, _until_sample_s(context)))
    if effects or after.phase is not before.phase or after.bases:
        return soon_s
    if after.draining:
        return DRAIN_EVERY_S
    away = after.role_versions is not None and after.role_versions.serving == "candidate"
    waits = away or starts_by_itself(after, context.spec.version) or after.stable_version is None
    return WAITING_S if waits else None


def _is_steady(context: PlanContext) -> bool:
    """Whether nothing happens but samples, and what a watch tells."""
    status, facts = context.status, context.facts
    waits = facts.checks or facts.census is not None or status.draining or status.pins or context.release.trouble
    return status.phase in STEADY and context.release.next_sample_at is not None and not waits


def _until_deadline_s(context: PlanContext) -> float:
    """Return how long until the phase is given up, in seconds; for ever where it is not, or should have been."""
    deadline = context.release.deadline
    left_s = (deadline - context.now).total_seconds() if deadline is not None else 0.0
    return left_s if left_s > 0 else inf


def _until_sample_s(context: PlanContext) -> float:
    """Return how long until the next sample is due, in seconds; for ever where none is awaited."""
    due, observed = context.release.next_sample_at, context.status.phase in OBSERVED
    if context.facts.sampling and _is_steady(context):
        return 0.0
    return (due - context.now).total_seconds() if due and observed and not context.facts.sampling else inf


def _soon_s(before: Status, context: PlanContext, effects: tuple[Effect, ...]) -> float:
    after, release = context.status, context.release
    if before.phase is not after.phase or before.latest.traffic.wanted_bp != release.traffic.wanted_bp:
        return AT_ONCE_S
    if effects:
        return VERIFY_S
    if context.facts.sampling or release.next_sample_at is None or after.phase not in OBSERVED:
        return IDLE_S
    return min(IDLE_S, max(AT_ONCE_S, (release.next_sample_at - context.now).total_seconds()))
