"""Closed sets of words for programs: phases, reasons, results."""

from __future__ import annotations

from enum import StrEnum


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
    WRITE_DENIED = "WriteDenied"
    BACKEND_UNLISTED = "BackendUnlisted"
    PINS_PENDING = "PinsPending"
    PINS_REFUSED = "PinsRefused"
    PINS_LOST = "PinsLost"
    DRAINED = "Drained"
    SERVED_BY_CANDIDATE = "ServedByCandidate"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105  a reason, not a secret
    FORBIDDEN = "Forbidden"
    WAKING_UP = "WakingUp"
    CAPACITY = "CapacityMissing"
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


class Result(StrEnum):
    """How a rollout ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    STOPPED = "stopped-by-a-gate"
    UNDONE = "undone"
    SUPERSEDED = "superseded"
