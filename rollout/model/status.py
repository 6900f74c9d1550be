"""Status: everything the controller knows about a rollout. A restart needs nothing else."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from rollout.model.base import Record
from rollout.model.evidence import KpiEvidence, Ledger, TrafficEvidence
from rollout.model.state import Compatibility

DECISIONS_KEPT = 10
COMMANDS_KEPT = 20
ANSWERS_KEPT = 5


class Phase(StrEnum):
    """Where a rollout is."""

    STABLE = "Stable"
    PREFLIGHT = "Preflight"
    SHIFTING = "Shifting"
    OBSERVING = "Observing"
    BAKING = "Baking"
    DRAINING = "Draining"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    PAUSED = "Paused"
    FROZEN = "Frozen"
    SUPERSEDING = "Superseding"


class Reason(StrEnum):
    """Why it is there: a closed set of words for programs; `message` is for people."""

    SETTLED = "Settled"
    CHECKING = "Checking"
    STABLE_UNKNOWN = "StableUnknown"
    NOT_READY = "NotReady"
    SOURCE_ERROR = "SourceError"
    ROUTER_DOWN = "RouterDown"
    PREFLIGHT_FAILED = "PreflightFailed"
    WEIGHT_PENDING = "WeightPending"
    TRAFFIC_NOT_SHIFTING = "TrafficNotShifting"
    WEIGHT_DRIFT = "WeightDrift"
    SAMPLE_RATIO = "SampleRatioMismatch"
    WARMING_UP = "WarmingUp"
    PREVIEWING = "Previewing"
    CHECK_RUNNING = "CheckRunning"
    CHECK_FAILED = "CheckFailed"
    CHECK_LATE = "CheckLate"
    WINDOW_CLOSED = "WindowClosed"
    RESPONSES_DIFFER = "ResponsesDiffer"
    SPEND = "SpendCapReached"
    HOLDING = "Holding"
    COLLECTING = "CollectingEvidence"
    AFTER_GAP = "AfterGap"
    NO_DATA = "NoData"
    ENVIRONMENT = "EnvironmentDegraded"
    UNDECIDED = "Undecided"
    APPROVAL = "ApprovalRequired"
    PAUSED_BY_HUMAN = "PausedByHuman"
    WORSE = "Worse"
    CANDIDATE_DOWN = "CandidateDown"
    STABLE_DOWN = "StableDown"
    ABORTED = "Aborted"
    BAKING = "Baking"
    DRAINING = "Draining"
    PROMOTED = "Promoted"
    SUPERSEDED = "Superseded"
    UNDONE = "Undone"
    INVALID_SPEC = "InvalidSpec"
    POLICY_NOT_FOUND = "PolicyNotFound"
    BACKEND_NOT_FOUND = "BackendNotFound"
    ROUTE_NOT_FOUND = "RouteNotFound"
    ROUTE_REFUSED = "RouteRefused"
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
    ROUTE_WRITE_DENIED = "RouteWriteDenied"
    BACKEND_UNLISTED = "BackendUnlisted"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105  a reason, not a secret
    FORBIDDEN = "Forbidden"
    WAKING_UP = "WakingUp"
    CLAIMED = "ClaimedByAnother"
    IDENTITY_CHANGED = "IdentityChanged"
    NOT_CHECKED = "NotChecked"
    STATE_COMPATIBLE = "StateCompatible"
    STATE_INCOMPATIBLE = "StateIncompatible"
    STATE_UNKNOWN = "StateUnknown"
    FAULT = "Fault"


class HeldBy(StrEnum):
    """Who or what a pause waits for."""

    HUMAN = "human"
    SPEC = "spec"
    APPROVAL = "approval"
    POLICY = "policy"


class Pinned(Record):
    """The policy in force, pinned at the start: its canonical text and fingerprint."""

    text: str
    digest: str


class Traffic(Record):
    """The candidate's share of new conversations: wanted, in force, and seen.

    drifts counts the foreign edits that were put back since the weight was last changed. off_since: since when the
    route is not as wanted, or the requests refute it. preview_header: by which header the candidate can be reached
    before any user is on it; None where there is no preview.
    """

    wanted_bp: int = 0
    applied_bp: int | None = None
    applied_at: datetime | None = None
    asked_at: datetime | None = None
    off_since: datetime | None = None
    drifts: int = 0
    effective: Literal["confirmed", "unconfirmed", "refuted"] = "unconfirmed"
    preview_header: str | None = None


class Base(Record):
    """What the two weights of a route add up to: as found before the rollout, and as used in it.

    absent: the versions whose backend named no weight.
    """

    original: int
    used: int
    absent: tuple[str, ...] = ()


class RuleIdentity(Record):
    """Which rule of a route was chosen. matches: a digest of what the rule matches; name: the rule's, if it has one."""

    name: str = ""
    matches: str = ""


class Blocked(Record):
    """Why traffic cannot be moved where it must go. since: when that began."""

    reason: Reason
    message: str
    since: datetime


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


class CommandOutcome(Record):
    """What became of the last command."""

    id: str
    verb: str
    actor: str
    reason: str
    accepted: bool
    message: str
    at: datetime


class KpiFigures(Record):
    """One KPI as it stood at a decision: counts over the whole rollout, e-values, verdict."""

    bad_c: float
    all_c: float
    bad_s: float
    all_s: float
    harm_e: float
    proof_e: float
    phi: float
    verdict: str
    reference: Literal["concurrent", "frozen"] = "concurrent"
    asymptotic: bool = False
    excess_low: float | None = None
    excess_high: float | None = None


class Decision(Record):
    """One decision with the numbers that made it."""

    at: datetime
    phase: Phase
    step: int
    weight_bp: int
    kind: Literal["transition", "command", "look", "traffic", "check"]
    reason: Reason
    message: str
    harm_e: float = 1.0
    threshold_e: float = 0.0
    share: float | None = None
    kpis: dict[str, KpiFigures] = Field(default_factory=dict)
    effects: tuple[str, ...] = ()
    actor: str = ""


class Result(StrEnum):
    """How a rollout ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    STOPPED = "stopped-by-a-gate"
    UNDONE = "undone"
    SUPERSEDED = "superseded"


class Status(Record):
    """The whole state of one rollout. Weights in basis points, times absolute and in UTC.

    wiring: in a cluster, the backends, routes and metrics it began with, as text: what is edited meanwhile counts for
    the next rollout. bases: by route, where weights were found in somebody else's. rules: by route, which rule was
    chosen. added: by route, the versions whose backend this controller has added. blocked: why traffic cannot be moved
    where it must go. warnings: what the preflight found that users should know. stable_passed_by: who said that a
    stable version that is down may be passed. identities: what both versions were made of when the checks began.
    woken: the version that was woken up. failed: versions that were rolled back, or turned down while they were known
    to be worse, with how often they had been retried by then. contracts: of the versions in use, by version, as they
    were when the checks passed; a text that is too large is kept by its digest.
    """

    phase: Phase = Phase.STABLE
    reason: Reason = Reason.SETTLED
    message: str = ""
    next: str = ""
    stable_version: str | None = None
    candidate_version: str | None = None
    previous_version: str | None = None
    retries: int = 0
    undoing: bool = False
    standby_until: datetime | None = None
    policy: Pinned | None = None
    wiring: str | None = None
    steps: int = 0
    step: int = 0
    started_at: datetime | None = None
    phase_since: datetime | None = None
    window_since: datetime | None = None
    deadline: datetime | None = None
    looked_at: datetime | None = None
    next_look_at: datetime | None = None
    looks_in_window: int = 0
    traffic: Traffic = Traffic()
    bases: dict[str, Base] = Field(default_factory=dict)
    rules: dict[str, RuleIdentity] = Field(default_factory=dict)
    added: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    blocked: Blocked | None = None
    warnings: tuple[str, ...] = ()
    identities: dict[str, dict[str, str]] = Field(default_factory=dict)
    identity_drift: str = ""
    woken: str | None = None
    counters: Ledger = Ledger()
    evidence: dict[str, KpiEvidence] = Field(default_factory=dict)
    split: TrafficEvidence = TrafficEvidence()
    harm_e: float = 1.0
    culprits: tuple[str, ...] = ()
    passed_by_human: tuple[int, ...] = ()
    promoted_by: tuple[str, ...] = ()
    harm_accepted: tuple[int, ...] = ()
    declined_version: str | None = None
    failed: dict[str, int] = Field(default_factory=dict)
    approved: tuple[int, ...] = ()
    window_waived: tuple[int, ...] = ()
    contracts: dict[str, Pinned] = Field(default_factory=dict)
    state: Compatibility | None = None
    checks: tuple[CheckRun, ...] = ()
    check_tries: int = 0
    spent: float = 0.0
    spend_allowed: float | None = None
    resume_to: Phase | None = None
    held_by: HeldBy | None = None
    unready_looks: int = 0
    stable_passed_by: str = ""
    trouble_since: datetime | None = None
    trouble: Reason | None = None
    trouble_message: str = ""
    environment: tuple[str, ...] = ()
    result: Result | None = None
    last_command: CommandOutcome | None = None
    answers: tuple[CommandOutcome, ...] = ()
    handled: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether a rollout is under way."""
        return self.phase not in (Phase.STABLE, Phase.ROLLED_BACK)
