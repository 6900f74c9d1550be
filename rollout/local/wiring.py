"""Wiring for one machine: a recorded rollout, its Envoy, its metrics pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from rollout.adapters.checks.runner import CheckRunner
from rollout.adapters.conversations.counter import ConversationCounter
from rollout.adapters.conversations.pages import from_pages
from rollout.adapters.conversations.threads import from_threads
from rollout.adapters.egress import Egress
from rollout.adapters.http import Pages, Services
from rollout.adapters.metrics import gauges
from rollout.adapters.metrics.presets import ROUTER_PREFIX
from rollout.adapters.metrics.queries import resolve, unreadable
from rollout.adapters.metrics.scrape import ScrapeSource
from rollout.adapters.notifications.notifier import QueueOfNotices
from rollout.adapters.notifications.sender import sender
from rollout.adapters.routers.envoy import EnvoyRouter
from rollout.adapters.routers.envoy_external import ExternalEnvoy
from rollout.adapters.routers.envoy_managed import ManagedEnvoy, find_envoy
from rollout.adapters.routers.read_only import ReadOnlyRouter
from rollout.adapters.statecontracts.collector import StateCollector
from rollout.adapters.statecontracts.fetch import ContractReader
from rollout.adapters.workloads.endpoints import EndpointWorkloads, problem_of
from rollout.contracts.samples.snapshot import Limits, Survey
from rollout.contracts.samples.stores import survey
from rollout.engine.ports import Ports, StatusStore
from rollout.errors import Fault, InvalidInput, PageUnavailable, RouterUnavailable, StoreUnavailable
from rollout.local.reach import unreached
from rollout.model.api.notifications import SecretSource
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import RolloutSpec
from rollout.model.api.state_sources import StateStore
from rollout.model.api.wiring import local_spec
from rollout.model.base import build
from rollout.model.rollout import Rollout
from rollout.model.units import expand
from rollout.redaction import SECRETS
from rollout.runtime.clock import CLOCK
from rollout.runtime.reconciler import Reconciler


def declared_policy(rollout: Rollout) -> PolicySpec:
    """Return the policy that is stored inline: the store always holds it whole."""
    if rollout.spec.policy is None:
        raise InvalidInput([Fault("spec.policy", "is not recorded", "start the rollout again with its policy")])
    return rollout.spec.policy


def _address_of(store: StateStore) -> str:
    """Return where a PostgreSQL is, from the variable that says so. Raises StoreUnavailable without it."""
    name = (store.postgres.env if store.postgres else None) or ""
    address = os.environ.get(name, "").strip()
    SECRETS.note(address)
    if not address:
        raise StoreUnavailable(f"the variable {name} is not set: the agents' store is named by it")
    return address


def _secret_of(source: SecretSource, namespace: str, sent_to: str) -> str:
    """Return a secret from the variable that has it. Raises PageUnavailable without it."""
    del namespace, sent_to  # whoever writes a policy here runs it with their own environment
    name = source.env or ""
    text = os.environ.get(name, "").strip()
    SECRETS.note(text, whole=True)
    if not text:
        what = f"the variable {name} is not set" if name else "on one machine a secret is in a variable: use env"
        raise PageUnavailable(what)
    return text


def _unset(policy: PolicySpec) -> Iterator[Fault]:
    """Yield a fault for each secret of notifications that is not there: nobody would be told, and hear of it late."""
    for index, target in enumerate(policy.notifications.targets if policy.notifications else ()):
        for path, secret in target.secrets():
            if secret.env and not os.environ.get(secret.env, "").strip():
                remedy = f"set it, or take the target {target.name} out of the policy"
                at = f"policy: notifications.targets[{index}].{path}.env"
                yield Fault(at, f"the variable {secret.env} is not set", remedy)


def wiring(spec: RolloutSpec) -> RolloutSpec:
    """Return what a machine is built from: the rest of a spec may change under it."""
    return spec.model_copy(update={"version": None, "paused": False, "policy": None})


def _envoy_of(rollout: Rollout, directory: Path, http: Pages) -> ManagedEnvoy | ExternalEnvoy:
    name, envoy = rollout.metadata.name, local_spec(rollout.spec).envoy
    if envoy.listen is not None:
        return ManagedEnvoy(name, envoy.listen, directory / name, http, envoy.preview)
    assert envoy.admin is not None
    assert envoy.directory is not None
    return ExternalEnvoy(envoy.admin, Path(envoy.directory), http)


THREADS_MAX = 1000
"""So many threads are looked at to count those that are open."""


def _filled(name: str, selector: str, version: str) -> str:
    return expand(selector, name=name, version=version, namespace="default")


class LocalWiring:
    """Everything one local rollout needs, built from what is recorded about it. Close it after use."""

    def __init__(self, rollout: Rollout, directory: Path) -> None:
        build()  # before there are threads
        spec, self._name = rollout.spec, rollout.metadata.name
        self._rollout, self._local = rollout, local_spec(spec)
        self._close = ExitStack()
        http, services = Pages(), Services()
        self._http = http
        self._close.callback(http.close)
        self._close.callback(services.close)
        if faults := unreadable(declared_policy(rollout)):
            raise InvalidInput(fault.within("spec.policy.") for fault in faults)
        self.envoy = _envoy_of(rollout, directory.resolve(), http)
        endpoints = {version: spec.backends.of(version) for version in spec.backends.served}
        self.router = EnvoyRouter(self._name, spec.conversations, endpoints, self.envoy)
        self.metrics = ScrapeSource(
            self._name,
            self._pages_of,
            self.router.stats_page,
            http,
            self._local.scrape.timeout_s,
            pinned=spec.conversations.pin is not None,
        )
        self._close.callback(self.metrics.close)
        preview = f"http://{self._local.envoy.preview}" if self._local.envoy.preview else ""
        self.check_runner = CheckRunner(services, directory.resolve().parent, CLOCK, spec.backends.of, preview)
        self._close.callback(self.check_runner.close)
        self._notices = QueueOfNotices(sender(services, _secret_of, Egress(), CLOCK), CLOCK)
        self._close.callback(self._notices.close)
        self._conversations = self._counter(services)
        self._states = StateCollector(ContractReader(services, spec.backends.of).read, _address_of, CLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back what it holds; Envoy goes on."""
        self._close.close()

    def _counter(self, services: Services) -> ConversationCounter | None:
        """Return who counts open conversations; None where the rollout does not say how."""
        spec = self._rollout.spec
        census = spec.conversations.census
        if census is None:
            return None
        if census.gauge is not None:
            fill = partial(_filled, self._name)
            pages = gauges.from_pages(self._http, self._pages_of, census.gauge, fill, self._local.scrape.timeout_s)
            return ConversationCounter(pages)
        if census.http is not None:
            return ConversationCounter(from_pages(services, spec.backends.of, census.http.path))
        return ConversationCounter(from_threads(self._survey))

    def _survey(self) -> Survey:
        store = self._rollout.spec.state_store
        assert store is not None, "documents were checked before"
        return survey(store, _address_of, Limits(newest=THREADS_MAX, time_s=10.0), may_name_files=True)

    def _pages_of(self, version: str) -> tuple[str, ...]:
        scrape = self._local.scrape
        return self._rollout.spec.backends.pages_of(version, scrape.path, scrape.port)

    def reconciler(self, status_store: StatusStore, *, moves_traffic: bool = True) -> Reconciler:
        """Return the loop's body over this machine's parts; without `moves_traffic` it decides but applies nothing."""
        return Reconciler(
            policy_of=declared_policy,
            ports=Ports(
                status_store=status_store,
                routers=(self.router if moves_traffic else ReadOnlyRouter(self.router),),
                metrics=self.metrics,
                workloads=EndpointWorkloads(self._rollout.spec.backends),
                gatekeeper=self.check_runner,
                clock=CLOCK,
                states=self._states,
                conversations=self._conversations,
                notifier=self._notices if moves_traffic else None,
            ),
        )

    def probe(self, stable: str, candidate: str) -> list[Fault]:
        """Try everything that a start depends on, before anything is changed; return every fault."""
        faults = []
        for index, endpoint in enumerate(self._rollout.spec.backends.endpoints):
            if endpoint.version in (stable, candidate) and (problem := problem_of(endpoint.url)):
                remedy = f"start {endpoint.version} there, or correct the address"
                faults.append(Fault(f"spec.backends.endpoints[{index}].url", problem, remedy))
        faults += _unset(declared_policy(self._rollout))
        faults += self._probe_envoy()
        # The version in use is brought up whatever its counters say: nothing is judged by them.
        return faults if faults or stable == candidate else self._probe_metrics(stable, candidate)

    def unreached(self, stable: str) -> str:
        """Ask as a user does; return what is wrong. Where your own Envoy listens is not known: nothing is asked."""
        listen = self._local.envoy.listen
        if listen is None:
            return ""
        return unreached(self._http, listen, self._local.scrape.path, stable, self._rollout.spec.backends.of(stable))

    def missing_metrics(self, stable: str, candidate: str) -> list[str]:
        """Say which metrics are not there yet."""
        return (
            [] if stable == candidate else self.metrics.missing(stable, candidate, declared_policy(self._rollout).kpis)
        )

    def _probe_envoy(self) -> list[Fault]:
        where, envoy = "spec.routes[0].envoy", self._local.envoy
        if not isinstance(self.envoy, ManagedEnvoy):
            try:
                self.envoy.ensure()
            except RouterUnavailable as error:
                return [Fault(f"{where}.admin", str(error), "start your Envoy, or correct the address")]
            other = self.envoy.shared_with(self._name)
            remedy = "give each rollout a directory of its own; one would delete the other's versions"
            return [Fault(f"{where}.directory", f"is used by the rollout {other}", remedy)] if other else []
        faults = []
        try:
            find_envoy()
        except RouterUnavailable as error:
            faults.append(Fault(where, str(error), "install it, then start again"))
        for key, problem in self.envoy.address_problems().items():
            remedy = "stop what listens there, or choose another address"
            faults.append(Fault(f"{where}.{key}", f"{getattr(envoy, key)} cannot be used: {problem}", remedy))
        return faults

    def _probe_metrics(self, stable: str, candidate: str) -> list[Fault]:
        policy = declared_policy(self._rollout)
        cap = policy.spend_cap
        round_ = self.metrics.read(stable, candidate, policy.kpis, cap.counter if cap else None)
        faults: dict[str, Fault] = {}
        if round_.spend is not None and round_.spend.problem:
            remedy = "correct the counter, or what the agents export (docs/kpis.md)"
            faults[""] = Fault("policy: spendCap.counter", round_.spend.problem, remedy)
        for index, query in enumerate(resolve(policy.kpis)[0]):
            readings = (round_.kpis[query.name], round_.responses.get(query.name))
            reading = next((reading for reading in readings if reading is not None and reading.problem), None)
            if reading is None or (query.total.startswith(ROUTER_PREFIX) and self.envoy.admin() is None):
                continue
            if reading.unreachable:
                where, remedy = "spec.metrics.scrape.path", "correct it, or the address in spec.backends.endpoints"
            else:
                where = f"policy: kpis[{index}] ({query.name})"
                remedy = "correct the KPI's selectors, or what the agents export (docs/kpis.md)"
            faults.setdefault(reading.problem, Fault(where, reading.problem, remedy))
        return list(faults.values())
