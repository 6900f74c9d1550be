"""Gathering the facts that a plan is made of. What cannot be asked is a fact too, or nothing that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from rollout.engine.facts import (
    Calendar,
    CheckFact,
    Command,
    ConversationCount,
    DeliveryFact,
    Facts,
    FetchedContract,
    ResourceFacts,
    Round,
)
from rollout.engine.ports import Ports, Router
from rollout.engine.requeue import is_sample_due
from rollout.engine.route_facts import BorrowedRoute, RouteFacts, borrowed
from rollout.engine.routes.roles import may_change
from rollout.errors import ClusterUnavailable, Unavailable
from rollout.model.agent_state import Census
from rollout.model.api.policy import PolicySpec
from rollout.model.pinned import effective_policy
from rollout.model.rollout import Rollout
from rollout.model.status.endpoints import Endpoints
from rollout.model.status.vocabulary import Phase, Reason

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Observation:
    """One gathering of facts, through the ports.

    Attributes:
        failures: what could not be asked.
        warned: of what already.
    """

    ports: Ports
    resource: ResourceFacts
    warned: set[str]
    failures: list[Unavailable] = field(default_factory=list)

    def facts(self, rollout: Rollout, declared: PolicySpec) -> Facts:
        """Return everything that `plan` may know. Raises Unavailable where nothing may be decided without it."""
        status, now = rollout.status, self.ports.clock.now()
        stable, candidate = status.stable_version, status.candidate_version
        both = tuple(version for version in (stable, candidate) if version)
        policy = effective_policy(status, declared)
        commands = self.ports.status_store.commands()
        routes = tuple(map(self._route, self.ports.routers))
        if status.goes_back or any(command.verb == "abort" for command in commands):
            # Nothing stands between an abort and its route: whatever else there is to ask may hang, or raise.
            deliveries = self._deliveries(rollout, policy)
            return Facts(routes=routes, commands=commands, versions=both, resource=self.resource, deliveries=deliveries)
        due = status.is_active and is_sample_due(status, now) and len(both) == 2
        round_ = self._read(stable or "", candidate or "", policy) if due else None
        sampling, due = due and round_ is None, round_ is not None
        versions, ready, asleep, identities = self._versions(rollout, routes, commands, due=due)
        at_rest = not status.is_active or status.phase in (Phase.PREFLIGHT, Phase.DRAINING)
        unlisted = frozenset(status.draining) - set(versions) if at_rest else frozenset()
        return Facts(
            routes=routes,
            ready=ready,
            round=round_,
            sampling=sampling,
            commands=commands,
            versions=versions,
            no_backend=self.ports.workloads.no_backend,
            asleep=asleep,
            identities=identities,
            workers=self._workers(candidate or "") if due and status.phase is Phase.PREFLIGHT else None,
            resource=self.resource,
            calendar=self.ports.gatekeeper.calendar(policy.gates) if status.is_active else Calendar(),
            checks=self._checks(rollout, policy),
            deliveries=self._deliveries(rollout, policy),
            contracts=self._contracts(rollout, both),
            census=self._census(rollout),
            conversations=self._open(rollout),
            unlisted=unlisted,
            endpoints=self._endpoints(both) if due or status.reason is Reason.CAPACITY else {},
            roles=self.ports.workloads.roles() if may_change(status) else None,
        )

    def _asked(self, what: str, ask: Callable[[], Answer], otherwise: Callable[[str], Answer]) -> Answer:
        """Return an answer; where whoever is asked fails in a way that nobody foresaw, what is known without it.

        A malformed object or page of somebody else's then is its own trouble: the turn goes on, and a way back is open.
        """
        try:
            return ask()
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  whoever is asked may fail in any way
            if what not in self.warned:
                self.warned.add(what)
                _LOG.exception("internal error: please report it", asked=what)
            return otherwise(f"it cannot be read: an internal error ({type(error).__name__})")

    def _route(self, router: Router) -> RouteFacts:
        """Read one route; what makes it unreadable is its own trouble, and no other's."""

        def unreadable(problem: str) -> RouteFacts:
            return BorrowedRoute(router.name, reachable=False, problem=problem, reason=Reason.FAULT)

        return self._asked(f"route {router.name}", router.observe, unreadable)

    def _contracts(self, rollout: Rollout, both: tuple[str, ...]) -> Mapping[str, FetchedContract]:
        states = self.ports.states
        if states is None or rollout.status.phase is not Phase.PREFLIGHT:
            return {}

        def unreadable(problem: str) -> Mapping[str, FetchedContract]:
            return {version: FetchedContract(problem=problem) for version in both}

        return self._asked("contracts", lambda: states.contracts(rollout, both), unreadable)

    def _census(self, rollout: Rollout) -> Census | None:
        states = self.ports.states
        if states is None:
            return None
        now = self.ports.clock.now()
        return self._asked("census", lambda: states.census(rollout), lambda problem: Census(at=now, problem=problem))

    def _open(self, rollout: Rollout) -> Mapping[str, ConversationCount]:
        """Return how many conversations are open on each version that is drained, or has pins."""
        counts, status = self.ports.conversations, rollout.status
        versions = tuple(dict.fromkeys((*status.draining, *(status.pins.versions if status.pins else ()))))
        if counts is None or not versions:
            return {}

        def unknown(problem: str) -> Mapping[str, ConversationCount]:
            return {version: ConversationCount(problem=problem) for version in versions}

        return self._asked("open conversations", lambda: counts.open(versions), unknown)

    def _checks(self, rollout: Rollout, policy: PolicySpec) -> Mapping[str, CheckFact]:
        """Return what is known of the checks; without an answer they are under way, until their time is over."""
        return self._asked("checks", lambda: self.ports.gatekeeper.checks(rollout, policy.gates), lambda _: {})

    def _deliveries(self, rollout: Rollout, policy: PolicySpec) -> Mapping[str, DeliveryFact]:
        """Return what is known of notices on their way; without an answer they are, until their time is over."""
        notifier, notifications = self.ports.notifier, policy.notifications
        if notifier is None or notifications is None or not rollout.status.notices:
            return {}
        return self._asked("notifications", lambda: notifier.deliveries(rollout, notifications), lambda _: {})

    def _versions(
        self, rollout: Rollout, routes: tuple[RouteFacts, ...], commands: tuple[Command, ...], *, due: bool
    ) -> tuple[tuple[str, ...], Mapping[str, str], frozenset[str], Mapping[str, Mapping[str, str]]]:
        """Return what is known of the versions: those there are, whether they answer, sleep, and what they are made of.

        While something is watched, what cannot be asked is not known, and says nothing against anybody.
        """
        status = rollout.status
        both = tuple(version for version in (status.stable_version, status.candidate_version) if version)
        undo = status.previous_version if any(command.verb == "undo" for command in commands) else None
        drained = tuple(status.draining)
        strays = tuple(version for route in borrowed(routes) for version in route.strays)
        checked = tuple(dict.fromkeys((*(both if due else ()), *((undo,) if undo else ()), *drained, *strays)))
        others = (rollout.spec.version, status.previous_version, *drained, *(route.owner for route in routes))
        asked = tuple(dict.fromkeys((*both, *(version for version in others if version))))
        watched = status.is_active and status.phase not in (Phase.PREFLIGHT, Phase.DRAINING)
        try:
            # What is watched has its backends: whether they still answer is asked when a sample is due.
            known = both if watched else self.ports.workloads.known(asked)
            ready = self.ports.workloads.ready(checked, _ports(routes))
            return (
                known,
                ready,
                self.ports.workloads.asleep(checked),
                self.ports.workloads.identities(both) if due else {},
            )
        except Unavailable as error:
            if not status.is_active or status.phase in (Phase.PREFLIGHT, Phase.DRAINING):
                raise
            self.failures.append(error)
            return both, {}, frozenset(), {}
        except (TypeError, AttributeError, KeyError, ValueError, IndexError) as error:
            problem = f"a Service, its endpoints or its Deployment is malformed ({type(error).__name__})"
            raise ClusterUnavailable(problem) from error

    def _endpoints(self, versions: tuple[str, ...]) -> Mapping[str, Endpoints]:
        """Return how many endpoints take requests; what cannot be asked is as it was last counted."""
        try:
            return self._asked("endpoints", lambda: self.ports.workloads.endpoints(versions), lambda _: {})
        except Unavailable as error:
            self.failures.append(error)
            return {}

    def _workers(self, candidate: str) -> tuple[str, ...] | None:
        """Return what runs of the candidate without a Service; None where that cannot be asked: it stops nothing."""
        try:
            return self.ports.workloads.workers(candidate)
        except (Unavailable, TypeError, AttributeError, KeyError) as error:
            if "workers" not in self.warned:
                self.warned.add("workers")
                _LOG.warning("what runs of the candidate without a Service is not known", why=str(error))
            return None

    def _read(self, stable: str, candidate: str, policy: PolicySpec) -> Round | None:
        spend = policy.spend_cap.counter if policy.spend_cap else None
        return self._asked(
            "metrics",
            lambda: self.ports.metrics.read(stable, candidate, policy.kpis, spend),
            lambda problem: Round.unreadable(policy.kpis, spend, problem),
        )


def _ports(routes: tuple[RouteFacts, ...]) -> Mapping[str, tuple[int, ...]]:
    """Return, by version, the ports that routes send its requests to."""
    named: dict[str, tuple[int, ...]] = {}
    for route in routes:
        for version, port in route.ports.items():
            named[version] = tuple(dict.fromkeys((*named.get(version, ()), port)))
    return named
