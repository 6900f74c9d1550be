"""Changes to a status, field by field, so that a type checker sees a misspelt name and a value of another type.

Tests keep them equal to the models.
"""

from datetime import datetime
from typing import TypedDict

from rollout.model.agent_state import Compatibility
from rollout.model.status.conversations import Draining, Pins
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.endpoints import Endpoints
from rollout.model.status.evidence import KpiEvidence, Ledger, PinArrival, TrafficEvidence
from rollout.model.status.notices import Notice
from rollout.model.status.release import CheckRun, Pinned, Release
from rollout.model.status.roles import RoleVersions
from rollout.model.status.traffic import Base, RouteBlock, RuleIdentity, Traffic
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result


class ReleaseChanges(TypedDict, total=False):
    """Fields of a `Release` with new values."""

    candidate_version: str
    retries: int
    undoing: bool
    policy: Pinned | None
    wiring: str | None
    steps: int
    step: int
    started_at: datetime | None
    window_since: datetime | None
    deadline: datetime | None
    sampled_at: datetime | None
    next_sample_at: datetime | None
    samples_in_window: int
    gap_s: float
    paused_s: float
    traffic: Traffic
    warnings: tuple[str, ...]
    workers: tuple[str, ...]
    endpoints: dict[str, Endpoints]
    identities: dict[str, dict[str, str]]
    identity_drift: str
    woken: str | None
    served: bool
    counters: Ledger
    evidence: dict[str, KpiEvidence]
    split: TrafficEvidence
    arrival: PinArrival
    harm_e: float
    culprits: tuple[str, ...]
    environment: tuple[str, ...]
    passed_by_human: tuple[int, ...]
    promoted_by: tuple[str, ...]
    harm_accepted: tuple[int, ...]
    approved: tuple[int, ...]
    window_waived: tuple[int, ...]
    capacity_waived: tuple[int, ...]
    state: Compatibility | None
    checks: tuple[CheckRun, ...]
    check_tries: int
    spent: float
    spend_allowed: float | None
    unready_samples: int
    stable_down_samples: int
    stable_passed_by: str
    trouble: Reason | None
    trouble_since: datetime | None
    trouble_message: str
    result: Result | None


class PhaseChanges(TypedDict, total=False):
    """Fields of a `Status` that an event may change beside the phase, the reason and the message."""

    stable_version: str | None
    previous_version: str | None
    standby_until: datetime | None
    declined_version: str | None
    failed: dict[str, int]
    draining: dict[str, Draining]
    release: Release | None
    resume_to: Phase | None
    held_by: HeldBy | None
    blocked: RouteBlock | None
    last_command: CommandOutcome | None


class StatusChanges(PhaseChanges, total=False):
    """Fields of a `Status` with new values; all but the phase, which only an event changes."""

    reason: Reason
    message: str
    next: str
    pins: Pins | None
    role_versions: RoleVersions | None
    bases: dict[str, Base]
    rules: dict[str, RuleIdentity]
    added: dict[str, tuple[str, ...]]
    contracts: dict[str, Pinned]
    answers: tuple[CommandOutcome, ...]
    notices: tuple[Notice, ...]
    notified: tuple[str, ...]
    handled: tuple[str, ...]
    decisions: tuple[Decision, ...]
