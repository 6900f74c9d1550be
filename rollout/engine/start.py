"""The start of a release, with fresh evidence, and of a weight, with a fresh evidence window."""

from __future__ import annotations

from rollout.engine.analysis.lifecycle import fresh, interrupted, split_restarted
from rollout.engine.context import PlanContext
from rollout.engine.strategy import strategy_of
from rollout.engine.transitions import Event
from rollout.model.api.policy import digest
from rollout.model.status.release import Pinned, Release
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Reason

PREFLIGHT_DEADLINE_S = 600.0
"""Checks that have not passed by then stop the rollout: nothing has moved, nothing is lost."""


def begin(
    context: PlanContext,
    event: Event,
    message: str,
    *,
    candidate: str,
    retries: int,
    undoing: bool = False,
    actor: str = "",
) -> None:
    """Start a release of a version: pin the policy and the wiring, begin with fresh evidence.

    Args:
        undoing: whether it is the way back to the version before; then what was turned down stays so.
    """
    policy = context.declared
    text = policy.canonical()
    release = Release(
        candidate_version=candidate,
        retries=retries,
        undoing=undoing,
        policy=Pinned(text=text, digest=digest(text)),
        wiring=context.spec.wiring(),
        steps=len(strategy_of(policy, undoing=undoing).steps),
        started_at=context.now,
        deadline=context.later(PREFLIGHT_DEADLINE_S),
        evidence=fresh(policy),
    )
    context.go(
        event,
        Reason.CHECKING,
        message,
        actor=actor,
        release=release,
        standby_until=None,
        declined_version=context.status.declined_version if undoing else None,
        blocked=None,
        last_command=None,
    )


def ask_weight(context: PlanContext, weight_bp: int, preview_header: str | None = None) -> None:
    """Set a weight: nothing counts as evidence for it until it is effective and warmed up."""
    traffic = Traffic(wanted_bp=weight_bp, asked_at=context.now, off_since=context.now, preview_header=preview_header)
    context.update_release(
        traffic=traffic, served=context.release.served or weight_bp > 0 or preview_header is not None
    )
    open_window(context)


def open_window(context: PlanContext) -> None:
    """Begin to watch the effective weight anew: after the warm-up, with nothing seen of it yet. Harm is kept."""
    begins, due = context.later(context.policy.evidence.warm_up_s), context.release.next_sample_at
    context.update_release(
        evidence=interrupted(context.release.evidence),
        split=split_restarted(context.release.split),
        window_since=begins,
        next_sample_at=due if due is None else min(due, begins),  # what is counted in it begins with a sample
        samples_in_window=0,
        gap_s=0.0,
    )
