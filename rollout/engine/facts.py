"""What was observed. Gathered beforehand, so that deciding needs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from rollout.engine.route_facts import RouteFacts
from rollout.model.agent_state import Census
from rollout.model.api.kpi import Kpi
from rollout.model.status.conditions import Condition
from rollout.model.status.endpoints import Endpoints
from rollout.model.status.roles import RoleVersions
from rollout.model.status.vocabulary import Reason

Verb = Literal["promote", "approve", "pause", "resume", "abort", "retry", "undo", "drain"]

DrainEnd = Literal["handOver", "end"]
"""What becomes of the conversations of a version whose drain is ended by hand."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asked for.

    Attributes:
        phase, step: what they saw; a command meant for another moment is stale.
        version: the stable one they saw, which is what an undo is about; of a drain, the version that is drained.
        plan: the fingerprint of the policy they saw.
        then: of a drain, what becomes of the conversations that are open.
    """

    id: str
    verb: Verb
    actor: str
    reason: str
    at: datetime
    phase: str | None = None
    step: int | None = None
    version: str | None = None
    plan: str | None = None
    then: DrainEnd | None = None


@dataclass(frozen=True, slots=True)
class DrainOrder:
    """Whose drain is ended by hand, and what becomes of the conversations that are open."""

    version: str
    then: DrainEnd


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a Rollout cannot be carried out as it is declared, though nothing is wrong with what it has come to."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """What is known of the Rollout resource, beside what it declares.

    Attributes:
        is_watched: whether its changes, and those of what it refers to, are told; then only time must be waited for.
        keeps_samples: whether what is decided at each sample is kept, with all its figures.
        generation: the spec's.
        conditions: as they stand.
        trouble: what is wrong with what is declared.
        leaving: whether it is being deleted.
        barred: whether nothing may be started, because of the trouble.
    """

    is_watched: bool = False
    keeps_samples: bool = True
    generation: int = 0
    conditions: tuple[Condition, ...] = ()
    trouble: Trouble | None = None
    leaving: bool = False
    barred: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """Whether the release windows and freezes let traffic move now, and until when, in words."""

    is_open: bool = True
    message: str = ""


@dataclass(frozen=True, slots=True)
class CheckFact:
    """What is known of a check that was asked for.

    Attributes:
        passed: its verdict, None while there is none.
        where: what to poll for the verdict.
        message: what it said, or what is wrong with the answers so far.
    """

    passed: bool | None = None
    where: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class FetchedContract:
    """A contract as it was found: its text, or why there is none."""

    text: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ConversationCount:
    """How many conversations of a version are open; None with a problem: a census that is not known is not zero.

    Attributes:
        age_s: how long ago the count began.
    """

    open: int | None = None
    problem: str = ""
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Counters:
    """One arm's raw counter values of one KPI, by series: bad and all outcomes since each process began."""

    bad: Mapping[str, float] = field(default_factory=dict)
    total: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KpiReading:
    """One KPI in one round, for both versions at one time. With a `problem` the counters are not to be used.

    Attributes:
        good: whether `bad` holds the *good* outcomes instead (bad = total - good), as latency buckets do.
        unreachable: whether the problem is the page itself, not what is looked for on it.
    """

    stable: Counters = Counters()
    candidate: Counters = Counters()
    good: bool = False
    problem: str = ""
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """One round of reading all counters.

    Attributes:
        responses: how many outcomes were given (`bad`) among those that could have been (`total`), for KPIs that check
            it.
        spend: the candidate's cost (`total`).
        unpinned: turns of open conversations that came without their pin (`total`), where agents count them.
        requests: what the split is measured by.
        births: when each page's process started.
        pages: those that were read.
        at: when the newest samples in it were taken, if not just now.
        mark: by what a round is told from one with the very same samples; empty where each round is new.
        lagging: whether a reading may be a little older than the one before, as two Prometheus behind one address give
            them: then a value that fell a little is no new beginning.
    """

    kpis: Mapping[str, KpiReading]
    requests: KpiReading
    responses: Mapping[str, KpiReading] = field(default_factory=dict)
    spend: KpiReading | None = None
    unpinned: KpiReading | None = None
    births: Mapping[str, float] = field(default_factory=dict)
    lagging: bool = False
    pages: tuple[str, ...] = ()
    at: datetime | None = None
    mark: str = ""

    @classmethod
    def unreadable(cls, kpis: Iterable[Kpi], spend: str | None, problem: str) -> Round:
        """Return a round in which nothing could be read, and why."""
        reading = KpiReading(problem=problem)
        return cls({kpi.name: reading for kpi in kpis}, reading, spend=reading if spend else None)


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What is behind the two Services of roles now.

    Attributes:
        versions: which version is behind each.
        ready: by role, how many of its pods are ready.
    """

    versions: RoleVersions
    ready: Mapping[Literal["stable", "candidate"], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryFact:
    """How far the delivery of one notice to one target has come.

    Attributes:
        given_up: whether it is not tried any more.
        message: what went wrong last.
    """

    delivered: bool = False
    given_up: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything `plan` may know.

    round is None when no sample was due; sampling: or when the counters are still being read.

    Attributes:
        ready: by version, an empty text or what is wrong with it; a version that is absent has no backend at all.
        checks: what is known of the checks under way, by id.
        no_backend: what to say of a version without backend.
        asleep: versions at 0 replicas that we may wake up.
        identities: what each version is made of, by part.
        workers: what runs of the candidate and has no Service; None where nobody asked.
        deliveries: what is known of notices on their way, by ``notice/target``.
        contracts: by version, where they were asked for.
        census: the newest census of live conversations, if there is one.
        conversations: how many are open, by version, of those that are drained or pinned.
        unlisted: versions that are drained and, as was asked just now, have no backend at all.
        endpoints: how many endpoints of each version take requests; nothing where nobody counts them.
        roles: what is behind each role's Service now; None where that was not asked, or there are no roles.
    """

    routes: tuple[RouteFacts, ...]
    resource: ResourceFacts = ResourceFacts()
    ready: Mapping[str, str] = field(default_factory=dict)
    round: Round | None = None
    sampling: bool = False
    commands: tuple[Command, ...] = ()
    versions: tuple[str, ...] = ()
    no_backend: str = "has no endpoint: add one to spec.backends.endpoints"
    asleep: frozenset[str] = frozenset()
    identities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    workers: tuple[str, ...] | None = None
    calendar: Calendar = Calendar()
    checks: Mapping[str, CheckFact] = field(default_factory=dict)
    deliveries: Mapping[str, DeliveryFact] = field(default_factory=dict)
    contracts: Mapping[str, FetchedContract] = field(default_factory=dict)
    census: Census | None = None
    conversations: Mapping[str, ConversationCount] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()
    roles: RoleFacts | None = None
    endpoints: Mapping[str, Endpoints] = field(default_factory=dict)
