"""What was observed. Gathered beforehand, so that deciding needs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Verb = Literal["promote", "approve", "pause", "resume", "abort", "retry", "undo"]


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asked for.

    phase, step: what they saw; a command meant for another moment is stale. version: the stable one they saw, which is
    what an undo is about.
    """

    id: str
    verb: Verb
    actor: str
    reason: str
    at: datetime
    phase: str | None = None
    step: int | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """The route as it is in force now.

    reachable: whether the router answers. stable, candidate: the versions it splits between. candidate_bp: the
    candidate's share. active: requests under way by version, where the router counts them. preview_header: by which
    header the candidate can be reached beforehand, if it can.
    """

    name: str
    reachable: bool
    stable: str | None = None
    candidate: str | None = None
    candidate_bp: int | None = None
    active: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    preview_header: str | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Whether the release windows and freezes let traffic move now, and until when, in words."""

    is_open: bool = True
    message: str = ""


@dataclass(frozen=True, slots=True)
class CheckFact:
    """What is known of a check that was asked for. passed: its verdict, None while there is none.

    where: what to poll for the verdict. message: what it said, or what is wrong with the answers so far.
    """

    passed: bool | None = None
    where: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Counters:
    """One arm's raw counter values of one KPI, by series: bad and all outcomes since each process began."""

    bad: Mapping[str, float] = field(default_factory=dict)
    total: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """One KPI in one round, for both versions at one time. With a `problem` the counters are not to be used.

    good: whether `bad` holds the *good* outcomes instead (bad = total - good), as latency buckets do.
    """

    stable: Counters = Counters()
    candidate: Counters = Counters()
    good: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """One round of reading all counters.

    responses: how many outcomes were given (`bad`) among those that could have been (`total`), for KPIs that check
    it. spend: the candidate's cost (`total`). requests: what the split is measured by. births: when each page's
    process started. pages: those that were read.
    """

    kpis: Mapping[str, Reading]
    requests: Reading
    responses: Mapping[str, Reading] = field(default_factory=dict)
    spend: Reading | None = None
    births: Mapping[str, float] = field(default_factory=dict)
    pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything `plan` may know.

    round is None when no look was due. ready: by version, an empty text or what is wrong with it; a version that
    is absent has no backend at all. checks: what is known of the checks under way, by id.
    """

    routes: tuple[RouteFacts, ...]
    ready: Mapping[str, str] = field(default_factory=dict)
    round: Round | None = None
    commands: tuple[Command, ...] = ()
    versions: tuple[str, ...] = ()
    calendar: Calendar = Calendar()
    checks: Mapping[str, CheckFact] = field(default_factory=dict)
