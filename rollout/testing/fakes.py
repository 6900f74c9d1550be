"""Fakes of the engine's ports: each does what it is told, and can fail as the real one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rollout.engine.effects import LeaveRoute, SetPins, SetWeight
from rollout.engine.facts import (
    Calendar,
    CheckFact,
    Command,
    ConversationCount,
    DeliveryFact,
    FetchedContract,
    RoleFacts,
)
from rollout.engine.planned import Plan
from rollout.engine.route_facts import OwnRoute
from rollout.errors import RouterUnavailable, StoreUnavailable
from rollout.model.agent_state import Census
from rollout.model.api.gates import Gates
from rollout.model.api.notifications import Notifications
from rollout.model.api.rollout import RolloutSpec
from rollout.model.notice_kinds import NoticeKind
from rollout.model.rollout import Rollout
from rollout.model.status.decision import Decision
from rollout.model.status.endpoints import Endpoints
from rollout.model.status.status import Status
from rollout.model.units import FULL_BP

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakeClock:
    """A clock that stands still until it is told to move."""

    at: datetime = EPOCH

    def now(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        """Let time pass; a negative number steps back."""
        self.at += timedelta(seconds=seconds)


@dataclass
class FakeRouter:
    """Takes weights, remembers all of them, and can be down, deaf (accepts, does nothing) or edited by others."""

    effective: SetWeight | None = None
    applied: list[SetWeight] = field(default_factory=list)
    down: bool = False
    deaf: bool = False
    active: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "route"

    def observe(self) -> OwnRoute:
        if self.down:
            return OwnRoute(self.name, reachable=False, problem="connection refused")
        if self.effective is None:
            return OwnRoute(self.name, reachable=True)
        return OwnRoute(
            self.name,
            reachable=True,
            active=self.active,
            stable=self.effective.stable,
            candidate=self.effective.candidate,
            weight_bp=self.effective.weight_bp,
            preview_header=self.effective.preview_header,
            pins=self.effective.pins,
        )

    def apply(self, weight: SetWeight) -> None:
        if self.down:
            raise RouterUnavailable("connection refused")
        self.applied.append(weight)
        if not self.deaf:
            self.effective = weight

    def pin(self, effect: SetPins) -> None:
        raise AssertionError(f"{effect}: a route of our own has its pins with its weight")

    def leave(self, effect: LeaveRoute) -> None:
        raise AssertionError(f"{effect}: only routes of others are left")

    def share_of(self, version: str) -> float:
        """Return the part of the traffic that a version has, from 0 to 1."""
        if self.effective is None:
            return 0.0
        share = self.effective.weight_bp / FULL_BP
        if version == self.effective.candidate:
            return share
        return 1 - share if version == self.effective.stable else 0.0


READ_BACK_EVERY = 20
"""A status goes through JSON and back, as after a restart, at each change of phase and every so many saves: it costs
more than the turn that made it.
"""


@dataclass
class FakeStatusStore:
    """A record store that can refuse to be written (broken), and may deliver a command again."""

    rollout: Rollout
    pending: list[Command] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    broken: bool = False
    answered: set[str] = field(default_factory=set)
    again: list[Command] = field(default_factory=list)
    saves: int = 0

    def load(self) -> Rollout:
        return self.rollout

    def commands(self) -> tuple[Command, ...]:
        return (*(command for command in self.pending if command.id not in self.answered), *self.again)

    def save(self, plan: Plan) -> None:
        if self.broken:
            raise StoreUnavailable("disk full")
        status, before = plan.status, self.rollout.status
        if self.saves % READ_BACK_EVERY == 0 or (status.phase, status.handled) != (before.phase, before.handled):
            status = Status.model_validate_json(status.model_dump_json(by_alias=True))
        self.saves += 1
        self.rollout = Rollout(self.rollout.metadata, self.rollout.spec, status)
        self.decisions += plan.decisions
        self.answered |= set(status.handled)
        self.again = []

    def tell(self) -> None:
        """Nobody else is to be told."""


@dataclass
class FakeWorkloads:
    """Versions that answer, unless they are down.

    Attributes:
        listed: the versions that have a backend, where it is not the spec that lists them.
        sleeping: those at 0 replicas, until they are scaled up.
        made_of: what each is made of, by part.
        working: the workers of each, to which no Service leads.
        counted: the ready endpoints of each, where they are counted.
    """

    spec: Callable[[], RolloutSpec]
    down: set[str] = field(default_factory=set)
    listed: tuple[str, ...] = ()
    sleeping: set[str] = field(default_factory=set)
    made_of: dict[str, dict[str, str]] = field(default_factory=dict)
    working: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counted: dict[str, Endpoints] = field(default_factory=dict)

    @property
    def no_backend(self) -> str:
        return "has no endpoint: add one to spec.backends.endpoints"

    def known(self, versions: tuple[str, ...]) -> tuple[str, ...]:
        del versions
        return self.listed or self.spec().backends.served

    def ready(self, versions: tuple[str, ...], ports: Mapping[str, tuple[int, ...]] | None = None) -> Mapping[str, str]:
        del ports
        return {version: "connection refused" if version in self.down else "" for version in versions}

    def asleep(self, versions: tuple[str, ...]) -> frozenset[str]:
        return frozenset(self.sleeping & set(versions))

    def identities(self, versions: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
        return {version: self.made_of[version] for version in versions if version in self.made_of}

    def roles(self) -> RoleFacts | None:
        return None

    def workers(self, version: str) -> tuple[str, ...]:
        return self.working.get(version, ())

    def scale_up(self, version: str, like: str) -> None:
        del like
        self.sleeping.discard(version)

    def endpoints(self, versions: tuple[str, ...]) -> Mapping[str, Endpoints]:
        return {version: self.counted[version] for version in versions if version in self.counted}

    def promote_image(self, version: str) -> None:
        raise AssertionError(f"{version}: versions with addresses of their own have no roles")

    def scale_down(self, version: str) -> None:
        self.sleeping.add(version)


@dataclass
class FakeGatekeeper:
    """Release windows that are open or not (closed says until when), and checks with the verdicts that it is given.

    Attributes:
        asked: by the id of a run, how often it was seen.
    """

    closed: str = ""
    verdicts: dict[str, CheckFact] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def calendar(self, gates: Gates) -> Calendar:
        del gates
        return Calendar(is_open=not self.closed, message=self.closed)

    def checks(self, rollout: Rollout, gates: Gates) -> Mapping[str, CheckFact]:
        del gates
        running = [run for run in rollout.status.latest.checks if run.state == "running"]
        for run in running:
            self.asked[run.id] = self.asked.get(run.id, 0) + 1
        return {run.id: self.verdicts.get(run.name, CheckFact()) for run in running}


@dataclass
class FakeConversations:
    """Open conversations by version, as they are given; of others nothing is known. age_s: of the counts."""

    counts: dict[str, int] = field(default_factory=dict)
    age_s: float = 0.0

    def open(self, versions: tuple[str, ...]) -> Mapping[str, ConversationCount]:
        return {version: self._of(version) for version in versions}

    def _of(self, version: str) -> ConversationCount:
        if version not in self.counts:
            return ConversationCount(problem="nothing counts them")
        return ConversationCount(self.counts[version], age_s=self.age_s)


@dataclass
class FakeStateContracts:
    """Contracts by version, as they are given, and what the census of live conversations finds."""

    clock: FakeClock
    texts: dict[str, FetchedContract] = field(default_factory=dict)
    seen: Census | None = None

    def contracts(self, rollout: Rollout, versions: tuple[str, ...]) -> Mapping[str, FetchedContract]:
        del rollout
        return {version: self.texts.get(version, FetchedContract(problem="nothing answers")) for version in versions}

    def census(self, rollout: Rollout) -> Census | None:
        del rollout
        return None if self.seen is None else self.seen.model_copy(update={"at": self.clock.at})


@dataclass
class FakeNotifier:
    """Tells people at once, remembers what each was told, and can be down.

    Attributes:
        messages: what each target was told, by its name: the kind and the message.
    """

    messages: dict[str, list[tuple[NoticeKind, str]]] = field(default_factory=dict)
    down: bool = False

    def deliveries(self, rollout: Rollout, notifications: Notifications) -> Mapping[str, DeliveryFact]:
        names = {target.name for target in notifications.targets}
        facts = {}
        for notice in rollout.status.notices:
            for name in names.intersection(notice.pending):
                if not self.down:
                    self.messages.setdefault(name, []).append((notice.kind, notice.message))
                facts[f"{notice.id}/{name}"] = DeliveryFact(delivered=not self.down, message="nobody answers")
        return facts
