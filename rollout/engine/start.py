"""The start of a release, with fresh evidence, and of a weight, with a fresh evidence window."""

from __future__ import annotations

from rollout.engine.analysis.lifecycle import fresh, interrupted, split_restarted
from rollout.engine.context import PlanContext
from rollout.engine.strategy import strategy_of
from rollout.engine.transitions import Event
from rollout.model.api.policy import digest
from rollout.model.status.evidence import Ledger, TrafficEvidence
from rollout.model.status.status import Pinned
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
    """Start a release of a version: pin the policy, begin with fresh evidence.

    undoing: whether it is the way back to the version before; then what was turned down stays so.
    """
    policy = context.declared
    text = policy.canonical()
    context.go(
        event,
        Reason.CHECKING,
        message,
        actor=actor,
        candidate_version=candidate,
        retries=retries,
        undoing=undoing,
        standby_until=None,
        policy=Pinned(text=text, digest=digest(text)),
        wiring=context.spec.wiring(),
        steps=len(strategy_of(policy, undoing=undoing).steps),
        step=0,
        started_at=context.now,
        deadline=context.later(PREFLIGHT_DEADLINE_S),
        window_since=None,
        looked_at=None,
        next_look_at=None,
        looks_in_window=0,
        gap_s=0.0,
        traffic=Traffic(),
        identities={},
        identity_drift="",
        woken=None,
        counters=Ledger(),
        evidence=fresh(policy),
        split=TrafficEvidence(),
        harm_e=1.0,
        culprits=(),
        environment=(),
        passed_by_human=(),
        promoted_by=(),
        harm_accepted=(),
        declined_version=context.status.declined_version if undoing else None,
        approved=(),
        window_waived=(),
        state=None,
        checks=(),
        check_tries=0,
        spent=0.0,
        spend_allowed=None,
        unready_looks=0,
        stable_passed_by="",
        stable_down_looks=0,
        blocked=None,
        warnings=(),
        trouble=None,
        trouble_since=None,
        trouble_message="",
        result=None,
        last_command=None,
    )


def ask_weight(context: PlanContext, weight_bp: int, preview_header: str | None = None) -> None:
    """Ask for a weight: nothing counts as evidence for it until it is in force and warmed up."""
    traffic = Traffic(wanted_bp=weight_bp, asked_at=context.now, off_since=context.now, preview_header=preview_header)
    context.update(traffic=traffic)
    open_window(context)


def open_window(context: PlanContext) -> None:
    """Begin to watch the weight in force anew: after the warm-up, with nothing seen of it yet. Harm is kept."""
    context.update(
        evidence=interrupted(context.status.evidence),
        split=split_restarted(context.status.split),
        window_since=context.later(context.policy.evidence.warm_up_s),
        looks_in_window=0,
        gap_s=0.0,
    )
