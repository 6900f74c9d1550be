"""Status: everything the controller knows about a rollout. A restart needs nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from rollout.model.agent_state import Compatibility
from rollout.model.base import Record
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.evidence import KpiEvidence, Ledger, TrafficEvidence
from rollout.model.status.traffic import Base, RouteBlock, RuleIdentity, Traffic
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result

DECISIONS_KEPT = 10
COMMANDS_KEPT = 20
ANSWERS_KEPT = 5


class Pinned(Record):
    """The policy in force, pinned at the start: its canonical text and fingerprint."""

    text: str
    digest: str


class CheckRun(Record):
    """One check, asked for at one point of a rollout. where: what to poll for its verdict, once it is known."""

    id: str
    name: str
    point: str
    state: Literal["running", "passed", "failed", "late"] = "running"
    asked_at: datetime
    deadline: datetime
    where: str = ""
    message: str = ""


class Status(Record):
    """The whole state of one rollout. Weights in basis points, times absolute and in UTC.

    wiring: in a cluster, the backends, routes and metrics it began with, as text: what is edited meanwhile counts for
    the next rollout. bases: by route, where weights were found in somebody else's. rules: by route, which rule was
    chosen. added: by route, the versions whose backend this controller has added. gap_s: how long, at this weight, no
    sample was taken that should have been. blocked: why traffic cannot be moved where it must go. warnings: what the
    preflight found that users should know. stable_passed_by: who said that a stable version that is down may be passed.
    identities: what both versions were made of when the checks began. woken: the version that was woken up. failed:
    versions that were rolled back, or turned down while they were known to be worse, with how often they had been
    retried by then. contracts: of the versions in use, by version, as they were when the checks passed; a text that is
    too large is kept by its digest.
    """

    phase: Phase = Field(default=Phase.STABLE, description="Where the rollout is.")
    reason: Reason = Field(default=Reason.SETTLED, description="Why it is there, as one word for programs.")
    message: str = Field(default="", description="Why it is there, for people.")
    next: str = Field(default="", description="What comes next.")
    stable_version: str | None = Field(default=None, description="The version in use.")
    candidate_version: str | None = Field(default=None, description="The version that is released, or was last.")
    previous_version: str | None = Field(default=None, description="The version that was stable before.")
    retries: int = Field(default=0, description="How often this version was tried again after a rollback.")
    undoing: bool = Field(default=False, description="Whether this is the way back to the version before.")
    standby_until: datetime | None = Field(default=None, description="Until when the old version stays ready.")
    policy: Pinned | None = None
    wiring: str | None = None
    steps: int = Field(default=0, description="How many steps there are.")
    step: int = Field(default=0, description="The step in force, from 0 on.")
    started_at: datetime | None = Field(default=None, description="When the release began.")
    phase_since: datetime | None = Field(default=None, description="When the phase began.")
    window_since: datetime | None = None
    deadline: datetime | None = Field(default=None, description="When the phase is given up.")
    looked_at: datetime | None = None
    next_look_at: datetime | None = None
    looks_in_window: int = 0
    gap_s: float = 0.0
    traffic: Traffic = Field(default=Traffic(), description="The candidate's share of the traffic.")
    bases: dict[str, Base] = Field(default_factory=dict)
    rules: dict[str, RuleIdentity] = Field(default_factory=dict)
    added: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    blocked: RouteBlock | None = Field(default=None, description="Why traffic cannot be moved where it must go.")
    warnings: tuple[str, ...] = Field(default=(), description="What the preflight found that users should know.")
    identities: dict[str, dict[str, str]] = Field(default_factory=dict)
    identity_drift: str = Field(default="", description="What has changed of a version since the checks began.")
    woken: str | None = None
    counters: Ledger = Ledger()
    evidence: dict[str, KpiEvidence] = Field(default_factory=dict)
    split: TrafficEvidence = TrafficEvidence()
    harm_e: float = Field(
        default=1.0, description="Evidence that the candidate is worse; it is rolled back at 1 / falseRollback."
    )
    culprits: tuple[str, ...] = Field(default=(), description="The KPIs that are worse.")
    passed_by_human: tuple[int, ...] = ()
    promoted_by: tuple[str, ...] = ()
    harm_accepted: tuple[int, ...] = ()
    declined_version: str | None = Field(default=None, description="The declared version that somebody turned down.")
    failed: dict[str, int] = Field(
        default_factory=dict, description="Versions that failed, with how often each was tried again."
    )
    approved: tuple[int, ...] = ()
    window_waived: tuple[int, ...] = ()
    contracts: dict[str, Pinned] = Field(default_factory=dict)
    state: Compatibility | None = None
    checks: tuple[CheckRun, ...] = ()
    check_tries: int = 0
    spent: float = Field(default=0.0, description="What the candidate has cost.")
    spend_allowed: float | None = None
    resume_to: Phase | None = None
    held_by: HeldBy | None = Field(default=None, description="Who or what a pause waits for.")
    unready_looks: int = 0
    stable_down_looks: int = 0
    stable_passed_by: str = Field(default="", description="Who let a stable version that is down be passed.")
    trouble_since: datetime | None = None
    trouble: Reason | None = None
    trouble_message: str = ""
    environment: tuple[str, ...] = Field(default=(), description="The KPIs whose bound both versions break.")
    result: Result | None = Field(default=None, description="How the last release ended.")
    last_command: CommandOutcome | None = Field(default=None, description="What became of the last command.")
    answers: tuple[CommandOutcome, ...] = ()
    handled: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether a rollout is under way."""
        return self.phase not in (Phase.STABLE, Phase.ROLLED_BACK)
