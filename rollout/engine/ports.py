"""What the engine needs from the world: small protocols that adapters implement.

Every call is bounded in time by the adapter. An adapter answers with facts, also when things are bad: a router that is
down is a fact, not an exception. Only `apply` may raise, and what it raises is an `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rollout.engine.effects import LeaveRoute, SetPins, SetWeight
from rollout.engine.facts import (
    Calendar,
    CheckFact,
    Command,
    ConversationCount,
    DeliveryFact,
    FetchedContract,
    RoleFacts,
    Round,
)
from rollout.engine.planned import Plan
from rollout.engine.route_facts import RouteFacts
from rollout.model.agent_state import Census
from rollout.model.api.gates import Gates
from rollout.model.api.kpi import Kpi
from rollout.model.api.notifications import Notifications
from rollout.model.rollout import Rollout
from rollout.model.status.endpoints import Endpoints


class Clock(Protocol):
    """Time, injected: nothing inside reads it any other way."""

    def now(self) -> datetime:
        """Return the time as an aware UTC datetime."""
        ...


class Router(Protocol):
    """One route. `observe` reads what is effective, never what was written."""

    def observe(self) -> RouteFacts: ...

    @property
    def name(self) -> str:
        """The route's name, as its facts carry it."""
        ...

    def apply(self, weight: SetWeight) -> None:
        """Bring the route to a weight. Idempotent. Raises RouterUnavailable; then it may or may not have acted."""
        ...

    def pin(self, effect: SetPins) -> None:
        """Let started conversations stay where they are. Idempotent. Raises RouterUnavailable."""
        ...

    def leave(self, effect: LeaveRoute) -> None:
        """Take out what was added, and let go of the route's fields. Idempotent. Raises RouterUnavailable."""
        ...


class MetricsSource(Protocol):
    """Counters of both versions, read in one round."""

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round | None:
        """Read every KPI and, if it is given, the counter of what the candidate costs.

        None: they are being read, and whoever asks is woken once they are in.
        """
        ...


class Workloads(Protocol):
    """Whether versions answer."""

    @property
    def no_backend(self) -> str:
        """What to say of a version that has no backend, and what to do about it."""
        ...

    def known(self, versions: tuple[str, ...]) -> tuple[str, ...]:
        """Return the versions that have a backend: all there are, or those of `versions` where they are not listed."""
        ...

    def ready(self, versions: tuple[str, ...], ports: Mapping[str, tuple[int, ...]]) -> Mapping[str, str]:
        """Return, by version, an empty text or what is wrong.

        Args:
            ports: by version, those that routes send requests to.
        """
        ...

    def asleep(self, versions: tuple[str, ...]) -> frozenset[str]:
        """Return those at 0 replicas that nobody else scales."""
        ...

    def roles(self) -> RoleFacts | None:
        """Return which version is behind each role's Service; None where backends have no roles."""
        ...

    def identities(self, versions: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
        """Return what versions are made of, by part, as fingerprints."""
        ...

    def workers(self, version: str) -> tuple[str, ...]:
        """Return what else runs of a version, to which no Service leads. Raises Unavailable."""
        ...

    def scale_up(self, version: str, like: str) -> None:
        """Let a sleeping version run as many replicas as another. Idempotent. Raises Unavailable."""
        ...

    def endpoints(self, versions: tuple[str, ...]) -> Mapping[str, Endpoints]:
        """Return how many endpoints of each version take requests; nothing where they are not counted."""
        ...

    def promote_image(self, version: str) -> None:
        """Roll a version out behind the stable role's Service, as it is behind the candidate's. Raises Unavailable."""
        ...

    def scale_down(self, version: str) -> None:
        """Let a version that nothing refers to run no replicas. Idempotent. Raises Unavailable."""
        ...


class Gatekeeper(Protocol):
    """Release windows, and checks by others. It never blocks: what takes long goes on behind it."""

    def calendar(self, gates: Gates) -> Calendar:
        """Return whether traffic may move now, by the clock on the wall."""
        ...

    def checks(self, rollout: Rollout, gates: Gates) -> Mapping[str, CheckFact]:
        """Return what is known of the checks under way in `rollout.status`, by id; begin those it does not know.

        A check that is no longer under way is given up.
        """
        ...


class Notifier(Protocol):
    """Tells people of a release. It never blocks: what takes long goes on behind it."""

    def deliveries(self, rollout: Rollout, notifications: Notifications) -> Mapping[str, DeliveryFact]:
        """Return what is known of the notices in `rollout.status`, by ``notice/target``; begin those that are new.

        A notice that is no longer there is given up.
        """
        ...


class ConversationCounts(Protocol):
    """How many conversations of a version are open. It never blocks for long."""

    def open(self, versions: tuple[str, ...]) -> Mapping[str, ConversationCount]:
        """Return the newest count of each version; begin one if it is time."""
        ...


class StateContracts(Protocol):
    """State contracts of versions, and the census of live conversations. It never blocks for long, and never writes."""

    def contracts(self, rollout: Rollout, versions: tuple[str, ...]) -> Mapping[str, FetchedContract]:
        """Return what each version's contract says, or why it cannot be had."""
        ...

    def census(self, rollout: Rollout) -> Census | None:
        """Return the newest census of conversations, by the contracts in `rollout.status`; begin one if it is time."""
        ...


class StatusStore(Protocol):
    """Where one rollout and its decisions live. Only the holder of its lease writes."""

    def load(self) -> Rollout: ...

    def commands(self) -> tuple[Command, ...]:
        """Return the commands that nobody has answered yet, oldest first."""
        ...

    def save(self, plan: Plan) -> None:
        """Write status and decisions durably, and answer the commands handled in the status, before any effect."""
        ...

    def tell(self) -> None:
        """Tell others of the decisions that were saved, after the effects: what may wait must not hold them up."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that one rollout is carried out through.

    Attributes:
        states: None where no state is checked.
        conversations: None where nobody counts them.
        notifier: None where nobody is told.
    """

    status_store: StatusStore
    routers: tuple[Router, ...]
    metrics: MetricsSource
    workloads: Workloads
    gatekeeper: Gatekeeper
    clock: Clock
    states: StateContracts | None = None
    conversations: ConversationCounts | None = None
    notifier: Notifier | None = None
