"""One release: from the moment a version is wanted until it is promoted or back. Every field has its start here."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from rollout.model.agent_state import Compatibility
from rollout.model.base import Record
from rollout.model.status.endpoints import Endpoints
from rollout.model.status.evidence import KpiEvidence, Ledger, PinArrival, TrafficEvidence
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Reason, Result


class Pinned(Record):
    """The effective policy, pinned at the start: its canonical text and fingerprint."""

    text: str
    digest: str


class CheckRun(Record):
    """One check, asked for at one point of a release.

    Attributes:
        where: what to poll for its verdict, once it is known.
    """

    id: str
    name: str
    point: str
    state: Literal["running", "passed", "failed", "late"] = "running"
    asked_at: datetime
    deadline: datetime
    where: str = ""
    message: str = ""


class Release(Record):
    """The release under way, or the last one. Weights in basis points, times absolute and in UTC.

    Attributes:
        wiring: in a cluster, the backends, routes and metrics it began with, as text: later edits count for the next
            release.
        gap_s: how long, at this weight, no sample was taken that should have been.
        warnings: what the preflight found that users should know.
        stable_passed_by: who said that a stable version that is down may be passed.
        identities: what both versions were made of when the preflight began.
        woken: the version that was scaled up.
        served: whether the candidate was ever to get requests.
    """

    candidate_version: str = Field(description="The version that is released, or was last.")
    retries: int = Field(default=0, description="How often this version was tried again after a rollback.")
    undoing: bool = Field(default=False, description="Whether this is the way back to the version before.")
    policy: Pinned | None = None
    wiring: str | None = None
    steps: int = Field(default=0, description="How many steps there are.")
    step: int = Field(default=0, description="The current step, counted from 0.")
    started_at: datetime | None = Field(default=None, description="When the release began.")
    paused_s: float = Field(default=0.0, description="How long it has been paused, in seconds, pauses that are over.")
    window_since: datetime | None = None
    deadline: datetime | None = Field(default=None, description="When the phase is given up.")
    sampled_at: datetime | None = None
    next_sample_at: datetime | None = None
    samples_in_window: int = 0
    gap_s: float = 0.0
    traffic: Traffic = Field(default=Traffic.model_construct(), description="The candidate's share of the traffic.")
    warnings: tuple[str, ...] = Field(default=(), description="What the preflight found that users should know.")
    workers: tuple[str, ...] = Field(
        default=(), description="What runs of the candidate and has no Service: no weight holds it back."
    )
    endpoints: dict[str, Endpoints] = Field(
        default_factory=dict, description="The ready endpoints of both versions, by version, where they are counted."
    )
    identities: dict[str, dict[str, str]] = Field(default_factory=dict)
    identity_drift: str = Field(default="", description="What has changed in a version since the preflight.")
    woken: str | None = None
    served: bool = False
    counters: Ledger = Ledger.model_construct()
    evidence: dict[str, KpiEvidence] = Field(default_factory=dict)
    split: TrafficEvidence = TrafficEvidence.model_construct()
    arrival: PinArrival = PinArrival.model_construct()
    harm_e: float = Field(
        default=1.0, description="Evidence that the candidate is worse. It is rolled back at 1 / falseRollback."
    )
    culprits: tuple[str, ...] = Field(default=(), description="The KPIs that are worse.")
    environment: tuple[str, ...] = Field(default=(), description="The KPIs whose bound both versions break.")
    passed_by_human: tuple[int, ...] = ()
    promoted_by: tuple[str, ...] = ()
    harm_accepted: tuple[int, ...] = ()
    approved: tuple[int, ...] = ()
    window_waived: tuple[int, ...] = ()
    capacity_waived: tuple[int, ...] = ()
    state: Compatibility | None = None
    checks: tuple[CheckRun, ...] = ()
    check_tries: int = 0
    spent: float = Field(default=0.0, description="What the candidate has cost.")
    spend_allowed: float | None = None
    unready_samples: int = 0
    stable_down_samples: int = 0
    stable_passed_by: str = Field(default="", description="Who let a stable version that is down be passed.")
    trouble: Reason | None = None
    trouble_since: datetime | None = None
    trouble_message: str = ""
    result: Result | None = Field(default=None, description="How the last release ended.")


NO_RELEASE = Release.model_construct(candidate_version="")
"""What is read where there was no release yet."""
