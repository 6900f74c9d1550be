"""Changes to a status, field by field, so that a type checker sees a misspelt name and a value of another type."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from rollout.model.agent_state import Compatibility
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.evidence import KpiEvidence, Ledger, TrafficEvidence
from rollout.model.status.status import CheckRun, Pinned
from rollout.model.status.traffic import Base, RouteBlock, RuleIdentity, Traffic
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result


class ReleaseChanges(TypedDict, total=False):
    """Fields of a `Status` that an event may change beside the phase, the reason and the message."""

    next: str
    phase_since: datetime | None
    stable_version: str | None
    candidate_version: str | None
    previous_version: str | None
    retries: int
    undoing: bool
    standby_until: datetime | None
    policy: Pinned | None
    wiring: str | None
    steps: int
    step: int
    started_at: datetime | None
    window_since: datetime | None
    deadline: datetime | None
    looked_at: datetime | None
    next_look_at: datetime | None
    looks_in_window: int
    gap_s: float
    traffic: Traffic
    bases: dict[str, Base]
    rules: dict[str, RuleIdentity]
    added: dict[str, tuple[str, ...]]
    blocked: RouteBlock | None
    warnings: tuple[str, ...]
    identities: dict[str, dict[str, str]]
    identity_drift: str
    woken: str | None
    counters: Ledger
    evidence: dict[str, KpiEvidence]
    split: TrafficEvidence
    harm_e: float
    culprits: tuple[str, ...]
    passed_by_human: tuple[int, ...]
    promoted_by: tuple[str, ...]
    harm_accepted: tuple[int, ...]
    declined_version: str | None
    failed: dict[str, int]
    approved: tuple[int, ...]
    window_waived: tuple[int, ...]
    contracts: dict[str, Pinned]
    state: Compatibility | None
    checks: tuple[CheckRun, ...]
    check_tries: int
    spent: float
    spend_allowed: float | None
    resume_to: Phase | None
    held_by: HeldBy | None
    unready_looks: int
    stable_down_looks: int
    stable_passed_by: str
    trouble_since: datetime | None
    trouble: Reason | None
    trouble_message: str
    environment: tuple[str, ...]
    result: Result | None
    last_command: CommandOutcome | None
    answers: tuple[CommandOutcome, ...]
    handled: tuple[str, ...]
    decisions: tuple[Decision, ...]


class StatusChanges(ReleaseChanges, total=False):
    """Fields of a `Status` with new values. A test keeps the two equal."""

    phase: Phase
    reason: Reason
    message: str
