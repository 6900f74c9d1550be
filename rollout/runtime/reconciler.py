"""One look at one rollout: observe, plan, record the intent, apply. The next look verifies.

Intent goes into the status first, then comes the effect: a crash between any two is repaired by the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog

from rollout.engine.context import read_pinned
from rollout.engine.effects import Effect, LeaveRoute, SetWeight, Wake
from rollout.engine.facts import Calendar, Command, Facts, Round, RouteFacts, Told
from rollout.engine.plan import Plan, is_look_due, plan
from rollout.engine.ports import Clock, Gatekeeper, MetricsSource, Records, Router, States, Workloads
from rollout.errors import ClusterUnavailable, Forbidden, Rejected, RouterUnavailable, Unavailable
from rollout.model.api.policy import PolicySpec
from rollout.model.rollout import Rollout
from rollout.model.status.vocabulary import Phase, Reason

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reconciler:
    """Carries out one rollout through its ports.

    policy_of: returns the policy that is declared for it now. leaving: whether the rollout is being deleted. barred:
    whether nothing may be started, because something is wrong with what is declared. failures: what could not be asked
    or done in the last look; the next one tries again. warned: what was warned of already.
    """

    policy_of: Callable[[Rollout], PolicySpec]
    records: Records
    routers: tuple[Router, ...]
    metrics: MetricsSource
    workloads: Workloads
    gatekeeper: Gatekeeper
    clock: Clock
    states: States | None = None
    leaving: bool = False
    barred: bool = False
    failures: list[Unavailable] = field(default_factory=list, compare=False)
    warned: set[str] = field(default_factory=set, compare=False)

    def reconcile(self) -> Plan:
        """Take one look and return what followed. Raises RecordsUnavailable: without records nothing may move."""
        self.failures.clear()
        rollout = self.records.load()
        declared = self.policy_of(rollout)
        made = plan(rollout, declared, self._observe(rollout, declared), self.clock.now())
        if made.status != rollout.status or made.decisions:
            self._save(made)
        for effect in made.effects:
            self._carry_out_effect(effect)
        self._tell(made)
        self.records.tell()
        return made

    def _save(self, made: Plan) -> None:
        """Record the intent. One that may not be recorded keeps nobody from going back: that is always safe."""
        try:
            self.records.save(made.status, made.decisions)
        except (Forbidden, Rejected):
            if made.status.phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING):
                for effect in made.effects:
                    self._carry_out_effect(effect)
            raise

    def _carry_out_effect(self, effect: Effect) -> None:
        match effect:
            case Wake():
                self._carry_out(str(effect), partial(self.workloads.wake, effect.version, effect.like))
            case LeaveRoute():
                for router in self.routers:
                    if router.name == effect.route:
                        self._carry_out(str(effect), partial(router.leave, effect))
            case SetWeight():
                for router in self.routers:
                    self._carry_out(str(effect), partial(router.apply, effect))

    def _carry_out(self, effect: str, act: Callable[[], None]) -> None:
        """Carry out one effect; what fails is found by the next look, and tried again."""
        try:
            act()
        except Unavailable as error:
            self.failures.append(error)
            self._warn_once(effect, str(error))
        except Exception as error:  # noqa: BLE001  one effect's fault must not keep the others from their routes
            _LOG.exception("internal error: please report it", effect=effect)
            self.failures.append(RouterUnavailable(f"internal error: {type(error).__name__}"))

    def _warn_once(self, effect: str, why: str) -> None:
        """Warn of a failure when it begins, not at each of the many tries that follow."""
        if why not in self.warned:
            self.warned.add(why)
            _LOG.warning("an effect was not carried out; it is tried again", effect=effect, why=why)

    def _observe(self, rollout: Rollout, declared: PolicySpec) -> Facts:
        status, now = rollout.status, self.clock.now()
        stable, candidate = status.stable_version, status.candidate_version
        both = tuple(version for version in (stable, candidate) if version)
        in_force = read_pinned(status.latest.policy.text) if status.latest.policy else declared
        commands = self.records.commands()
        routes = tuple(map(self._route, self.routers))
        going_back = status.phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING)
        if going_back or any(command.verb == "abort" for command in commands):
            # Nothing stands between an abort and its route: whatever else there is to ask may hang, or raise.
            return Facts(routes=routes, commands=commands, versions=both, leaving=self.leaving, barred=self.barred)
        due = status.is_active and is_look_due(status, now) and len(both) == 2
        round_ = self._read(stable or "", candidate or "", in_force) if due else None
        sampling, due = due and round_ is None, round_ is not None
        versions, ready, asleep, identities = self._versions(rollout, routes, commands, due=due)
        return Facts(
            routes=routes,
            ready=ready,
            round=round_,
            sampling=sampling,
            commands=commands,
            versions=versions,
            no_backend=self.workloads.no_backend,
            asleep=asleep,
            identities=identities,
            leaving=self.leaving,
            barred=self.barred,
            calendar=self.gatekeeper.calendar(in_force.gates) if status.is_active else Calendar(),
            checks=self.gatekeeper.checks(rollout, in_force.gates),
            contracts=self._contracts(rollout, both) if status.phase is Phase.PREFLIGHT else {},
            looked=self.states.looked(rollout) if self.states is not None else None,
        )

    def _route(self, router: Router) -> RouteFacts:
        """Read one route; what makes it unreadable is its own trouble, and no other's."""
        try:
            return router.observe()
        except Exception as error:  # noqa: BLE001  a malformed object of somebody else's must not hold up the other routes
            if "observe" not in self.warned:
                self.warned.add("observe")
                _LOG.exception("internal error: please report it", route=router.name)
            told = f"it cannot be read: an internal error ({type(error).__name__})"
            return RouteFacts(router.name, reachable=False, is_adopted=True, problem=told, reason=Reason.FAULT)

    def _contracts(self, rollout: Rollout, both: tuple[str, ...]) -> Mapping[str, Told]:
        return {} if self.states is None else self.states.contracts(rollout, both)

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
            # What is watched has its backends: whether they still answer is asked when a look is due.
            known = both if watched else self.workloads.known(asked)
            ready = self.workloads.ready(checked, _ports(routes))
            return known, ready, self.workloads.asleep(checked), self.workloads.identities(both) if due else {}
        except Unavailable as error:
            if not status.is_active or status.phase in (Phase.PREFLIGHT, Phase.DRAINING):
                raise
            self.failures.append(error)
            return both, {}, frozenset(), {}
        except (TypeError, AttributeError, KeyError, ValueError, IndexError) as error:
            told = f"a Service, its endpoints or its Deployment is malformed ({type(error).__name__})"
            raise ClusterUnavailable(told) from error

    def _read(self, stable: str, candidate: str, in_force: PolicySpec) -> Round | None:
        cap = in_force.spend_cap
        return self.metrics.read(stable, candidate, in_force.kpis, cap.counter if cap else None)

    def _tell(self, made: Plan) -> None:
        for decision in made.decisions:
            level = "debug" if decision.kind == "sample" else "info"
            getattr(_LOG, level)(
                decision.message, kind=decision.kind, phase=decision.phase, reason=decision.reason, step=decision.step
            )


def _ports(routes: tuple[RouteFacts, ...]) -> Mapping[str, tuple[int, ...]]:
    """Return, by version, the ports that routes send its requests to."""
    named: dict[str, tuple[int, ...]] = {}
    for route in routes:
        for version, port in route.ports.items():
            named[version] = tuple(dict.fromkeys((*named.get(version, ()), port)))
    return named
