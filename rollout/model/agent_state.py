"""Whether versions can read each other's state: what was found, what it comes to, and what people waive."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.base import Document, Record
from rollout.model.units import Count, Duration

FINDINGS_KEPT = 20


class Severity(StrEnum):
    """How bad a finding is, the least first. The words of a verdict are the same."""

    OK = "ok"
    RISK = "risk"
    UNKNOWN = "unknown"
    BREAK = "break"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Axis(StrEnum):
    """backward: the candidate reads what stable wrote. forward: the other way round, so that a rollback is safe.

    hop: a conversation that goes to the candidate, back, and to it again loses nothing.
    """

    BACKWARD = "backward"
    FORWARD = "forward"
    HOP = "hop"


class Finding(Record):
    """One thing that was found, for one direction.

    Attributes:
        pointer: into the contract (RFC 6901) of whoever reads.
        old, new: what it was and what it is, in words.
        clearable: by a census of the live threads that shows none of them affected.
        affected: how many are, where that was counted.
    """

    code: str
    direction: Axis
    severity: Severity
    pointer: str
    old: str = Field(default="", alias="from")
    new: str = Field(default="", alias="to")
    hint: str = ""
    evidence: Literal["static", "sample"] = "static"
    clearable: bool = False
    nodes: tuple[str, ...] = ()
    affected: int | None = None
    waived_by: str = ""


class CompatibilityVerdict(Record):
    """What all findings come to, by direction.

    Attributes:
        scope: whether graphs were compared too, or shapes of state only.
    """

    backward: Severity
    forward: Severity
    hop: Severity
    scope: Literal["whole", "shape"] = "whole"
    findings: tuple[Finding, ...] = ()

    def of(self, axis: Axis) -> Severity:
        return {Axis.BACKWARD: self.backward, Axis.FORWARD: self.forward, Axis.HOP: self.hop}[axis]

    def worst(self, axis: Axis) -> tuple[Finding, ...]:
        """Return the findings that make a direction what it is."""
        mine = (finding for finding in self.findings if finding.direction is axis and not finding.waived_by)
        return tuple(finding for finding in mine if finding.severity is self.of(axis))


class Census(Record):
    """A count of live conversations.

    Attributes:
        complete: whether all were counted.
        waiting: how many wait, by where.
        backward: how many the candidate cannot read or would end, though stable can.
        forward: the other way round. Counts and names of nodes and keys only, never what anybody said.
    """

    at: datetime
    threads: int = 0
    complete: bool = False
    waiting: dict[str, int] = Field(default_factory=dict)
    backward: int = 0
    backward_reasons: dict[str, int] = Field(default_factory=dict)
    forward: int = 0
    forward_reasons: dict[str, int] = Field(default_factory=dict)
    undecided: int = 0
    problem: str = ""


class Compatibility(Record):
    """What is known of how the state of both versions goes together.

    Attributes:
        problem: why a contract could not be had.
        no_return_at: since when the candidate has written what stable cannot read.
        affected: how many conversations that concerns, None where nobody can count them.
    """

    verdict: CompatibilityVerdict | None = None
    digests: dict[str, str] = Field(default_factory=dict)
    problem: str = ""
    census: Census | None = Field(default=None, alias="looked")  # the name in JSON, which stays
    no_return_at: datetime | None = None
    affected: int | None = None


Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Waiver(Document):
    """Somebody answers for a finding, for a time."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,60}$")] = Field(
        description="The code of the finding."
    )
    pointer: Annotated[str, StringConstraints(max_length=500)] = Field(
        default="", description="Where in the contract, as a JSON pointer; empty for all."
    )
    reason: Text = Field(description="Why it is acceptable.")
    owner: Text = Field(description="Who answers for it.")
    expires: date = Field(description="The last day it holds.")
    accept_unsafe: StrictBool = Field(default=False, description="Needed for what would do harm silently.")


class StateGate(Document):
    """What must hold between the state of both versions before any traffic."""

    require: Literal["none", "backward", "forward", "full"] = Field(
        default="full", description="Which directions must be compatible; full is backward and forward."
    )
    on_unknown: Literal["block", "warn", "allow"] = Field(
        default="block", description="The reaction to findings that cannot be decided."
    )
    past_no_return: Literal["freeze", "rollback"] = Field(
        default="freeze", description="The reaction to harm after the point of no return."
    )
    threads: Count = Field(
        default=200, ge=1, le=1000, description="How many of the newest conversations the census looks into."
    )
    every_s: Duration = Field(
        default=60.0, alias="every", description="How often live conversations are counted during a release."
    )
    waivers: tuple[Waiver, ...] = Field(default=(), max_length=20, description="Findings that somebody answers for.")
