"""Beginnings: of a rollout, which opens fresh books, and of a weight, which opens a fresh window on them."""

from __future__ import annotations

from rollout.engine.books import fresh, interrupted, split_restarted
from rollout.engine.draft import Draft
from rollout.engine.phases import Event
from rollout.engine.way import way_of
from rollout.model.evidence import Ledger, TrafficEvidence
from rollout.model.policy import digest
from rollout.model.status import Pinned, Reason, Traffic

PREFLIGHT_DEADLINE_S = 600.0
"""Checks that have not passed by then stop the rollout: nothing has moved, nothing is lost."""


def begin(
    draft: Draft, event: Event, message: str, *, candidate: str, retries: int, undoing: bool = False, actor: str = ""
) -> None:
    """Start a rollout of a version: pin the policy, open fresh books.

    undoing: whether it is the way back to the version before; then what was turned down stays so.
    """
    policy = draft.declared
    text = policy.canonical()
    draft.go(
        event,
        Reason.CHECKING,
        message,
        actor=actor,
        candidate_version=candidate,
        retries=retries,
        undoing=undoing,
        standby_until=None,
        policy=Pinned(text=text, digest=digest(text)),
        wiring=draft.spec.wiring(),
        steps=len(way_of(policy, undoing=undoing).steps),
        step=0,
        started_at=draft.now,
        deadline=draft.later(PREFLIGHT_DEADLINE_S),
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
        declined_version=draft.status.declined_version if undoing else None,
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


def ask_weight(draft: Draft, weight_bp: int, preview_header: str | None = None) -> None:
    """Ask for a weight: nothing counts as evidence for it until it is in force and warmed up."""
    traffic = Traffic(wanted_bp=weight_bp, asked_at=draft.now, off_since=draft.now, preview_header=preview_header)
    draft.update(traffic=traffic)
    open_window(draft)


def open_window(draft: Draft) -> None:
    """Begin to watch the weight in force anew: after the warm-up, with nothing seen of it yet. Harm is kept."""
    draft.update(
        evidence=interrupted(draft.status.evidence),
        split=split_restarted(draft.status.split),
        window_since=draft.later(draft.policy.evidence.warm_up_s),
        looks_in_window=0,
        gap_s=0.0,
    )
