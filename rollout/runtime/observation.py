"""Gathering the facts that a plan is made of. What cannot be asked is a fact too, or nothing that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from rollout.engine.facts import Calendar, Command, Facts, FetchedContract, ResourceFacts, Round
from rollout.engine.ports import Ports, Router
from rollout.engine.requeue import is_sample_due
from rollout.engine.route_facts import BorrowedRoute, RouteFacts
from rollout.errors import ClusterUnavailable, Unavailable
from rollout.model.api.policy import PolicySpec
from rollout.model.pinned import effective_policy
from rollout.model.rollout import Rollout
from rollout.model.status.vocabulary import Phase, Reason

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


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
            return Facts(routes=routes, commands=commands, versions=both, resource=self.resource)
        due = status.is_active and is_sample_due(status, now) and len(both) == 2
        round_ = self._read(stable or "", candidate or "", policy) if due else None
        sampling, due = due and round_ is None, round_ is not None
        versions, ready, asleep, identities = self._versions(rollout, routes, commands, due=due)
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
            resource=self.resource,
            calendar=self.ports.gatekeeper.calendar(policy.gates) if status.is_active else Calendar(),
            checks=self.ports.gatekeeper.checks(rollout, policy.gates),
            contracts=self._contracts(rollout, both) if status.phase is Phase.PREFLIGHT else {},
            census=self.ports.states.census(rollout) if self.ports.states is not None else None,
        )

    def _route(self, router: Router) -> RouteFacts:
        """Read one route; what makes it unreadable is its own trouble, and no other's."""
        try:
            return router.observe()
        except Exception as error:  # noqa: BLE001  a malformed object of somebody else's must not hold up the other routes
            if "observe" not in self.warned:
                self.warned.add("observe")
                _LOG.exception("internal error: please report it", route=router.name)
            problem = f"it cannot be read: an internal error ({type(error).__name__})"
            return BorrowedRoute(router.name, reachable=False, problem=problem, reason=Reason.FAULT)

    def _contracts(self, rollout: Rollout, both: tuple[str, ...]) -> Mapping[str, FetchedContract]:
        return {} if self.ports.states is None else self.ports.states.contracts(rollout, both)

    def _versions(
        self, rollout: Rollout, routes: tuple[RouteFacts, ...], commands: tuple[Command, ...], *, due: bool
    ) -> tuple[tuple[str, ...], Mapping[str, str], frozenset[str], Mapping[str, Mapping[str, str]]]:
        """Return what is known of the versions: those there are, whether they answer, sleep, and what they are made of.

        While something is watched, what cannot be asked is not known, and says nothing against anybody.
        """
        status = rollout.status
        both = tuple(version for version in (status.stable_version, status.candidate_version) if version)
        undo = status.previous_version if any(command.verb == "undo" for command in commands) else None
        checked = (*(both if due else ()), *((undo,) if undo else ()))
        others = (rollout.spec.version, status.previous_version, *(route.owner for route in routes))
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

    def _read(self, stable: str, candidate: str, policy: PolicySpec) -> Round | None:
        cap = policy.spend_cap
        return self.ports.metrics.read(stable, candidate, policy.kpis, cap.counter if cap else None)


def _ports(routes: tuple[RouteFacts, ...]) -> Mapping[str, tuple[int, ...]]:
    """Return, by version, the ports that routes send its requests to."""
    named: dict[str, tuple[int, ...]] = {}
    for route in routes:
        for version, port in route.ports.items():
            named[version] = tuple(dict.fromkeys((*named.get(version, ()), port)))
    return named
