"""Wiring for one rollout in a cluster: its routes, its Services, its Prometheus."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rollout.adapters.checks.release_windows import reading
from rollout.adapters.checks.runner import CheckRunner
from rollout.adapters.egress import Egress
from rollout.adapters.http import Services
from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.claims import Claims
from rollout.adapters.kubernetes.kept_answers import KeptAnswers, Reads
from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.kubernetes.read_once import ReadOnce
from rollout.adapters.kubernetes.workload_caches import WorkloadCaches
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.sampler import Sampler
from rollout.adapters.notifications.notifier import QueueOfNotices
from rollout.adapters.notifications.sender import sender
from rollout.adapters.routers.kept_facts import KeptRouter
from rollout.adapters.routers.kubernetes import KubernetesRouter
from rollout.adapters.routers.read_only import ReadOnlyRouter
from rollout.adapters.routers.route_kinds import route_kind_of
from rollout.adapters.routers.route_pins import Cache, OwningRollout
from rollout.adapters.routers.splits import Split, is_there, splits_of
from rollout.adapters.statecontracts.collector import StateCollector
from rollout.adapters.statecontracts.fetch import ContractReader
from rollout.adapters.workloads.identity_reader import IdentityReader
from rollout.adapters.workloads.kept_workloads import KeptWorkloads
from rollout.adapters.workloads.pods_behind import pods_behind
from rollout.adapters.workloads.service_urls import endpoint_urls, service_urls
from rollout.controller.conversation_counters import ConversationCounters
from rollout.controller.metrics_source import ClusterMetrics, Readings
from rollout.controller.naming import naming_of, with_roles
from rollout.controller.secrets import Credentials
from rollout.controller.share import Share
from rollout.engine.facts import Calendar, CheckFact, ResourceFacts
from rollout.engine.ports import Ports, Router, StatusStore
from rollout.errors import PageUnavailable
from rollout.model.api.gates import Gates
from rollout.model.api.metrics import FromSecret, Prometheus
from rollout.model.api.naming import Naming
from rollout.model.api.notifications import SecretSource
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import Metadata
from rollout.model.api.state_sources import StateStore
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.runtime.clock import CLOCK, uptime_s
from rollout.runtime.reconciler import Reconciler


class Shared:
    """What all rollouts of one controller share. Close it after use.

    Args:
        caches: routes by the key of their kind in a spec.
        sampler: takes samples of counters for all of them.
        share: what of all this controller carries out.
        claims: tells whose a Rollout is.
        egress: what documents may have the controller ask and send: no variable, unless the operator has listed it.
        scope: the only namespace that the controller looks after; None for all.
    """

    def __init__(
        self,
        api: Api,
        caches: Mapping[str, Cache],
        share: Share,
        sampler: Sampler,
        claims: Claims,
        *,
        dry_run: bool = False,
        egress: Egress = Egress({}),  # noqa: B008  frozen
        scope: str | None = None,
    ) -> None:
        self.workloads = WorkloadCaches(api, scope)
        self.egress = egress
        self.sampler, self.claims = sampler, claims
        self.api, self.caches, self.dry_run = api, caches, dry_run
        self.share = share
        self._services = Services()
        self._directory = tempfile.TemporaryDirectory(prefix="rollout-")
        self.credentials = Credentials(api, Path(self._directory.name))
        self._check_runners: dict[str, CheckRunner] = {}
        self._states: dict[str, StateCollector] = {}
        self._readers: dict[str, ContractReader] = {}
        self.conversation_counts = ConversationCounters(api, self._services, self.prometheus, self._address_of)
        self.identities = IdentityReader(api, uptime_s)
        self.readings = Readings()
        self.answers = KeptAnswers()
        self.denials: dict[str, dict[str, str]] = {}
        self.notices = QueueOfNotices(sender(self._services, self._secret_of, egress, CLOCK), CLOCK)

    def may_write(self, key: str) -> bool:
        """Whether a rollout may be written now: asked before each write."""
        return not self.dry_run and self.share.may_write(key)

    def check_runner_of(self, metadata: Metadata, naming: Naming) -> CheckRunner:
        """Return who carries out one rollout's checks."""
        key = f"{metadata.namespace}/{metadata.name}"
        addresses = service_urls(self.api, naming)
        if (runner := self._check_runners.get(key)) is None:
            folder = Path(self._directory.name)
            runner = CheckRunner(self._services, folder, CLOCK, addresses, egress=self.egress)
            self._check_runners[key] = runner
        runner.addresses = addresses
        return runner

    def states_of(self, metadata: Metadata, naming: Naming, route_kinds: tuple[str, ...]) -> StateCollector:
        """Return who knows of the state of one rollout's versions."""
        key = f"{metadata.namespace}/{metadata.name}"
        addresses = endpoint_urls(self.api, naming, route_kinds)
        if key not in self._states:
            reader = self._readers[key] = ContractReader(self._services, addresses, self.api)
            address_of = partial(self._address_of, metadata.namespace)
            self._states[key] = StateCollector(reader.read, address_of, CLOCK, may_name_files=False)
        self._readers[key].addresses = addresses
        return self._states[key]

    def prometheus(self, declared: Prometheus, namespace: str) -> PrometheusClient:
        """Return a client for a Prometheus. Raises Unavailable where the operator or a Secret does not allow it."""
        self.egress.check(declared.url, namespace)
        return self.credentials.client(declared, namespace)

    def _secret_of(self, source: SecretSource, namespace: str, sent_to: str) -> str:
        if source.secret_key_ref is None:
            raise PageUnavailable("in a cluster a secret of notifications is in a Secret: use secretKeyRef")
        reference = FromSecret(secret_key_ref=source.secret_key_ref)
        return self.credentials.value(reference, namespace, "notifications", sent_to, whole=not sent_to)

    def _address_of(self, namespace: str, store: StateStore) -> str:
        assert store.postgres is not None
        assert store.postgres.secret_key_ref is not None, "documents were checked before"
        source = FromSecret(secret_key_ref=store.postgres.secret_key_ref)
        return self.credentials.value(source, namespace, "spec.stateStore.postgres")

    def forget(self, key: str) -> None:
        """Give up what is under way for a rollout that is gone."""
        self._states.pop(key, None)
        self._readers.pop(key, None)
        self.conversation_counts.forget(key)
        self.identities.forget(key)
        self.readings.forget(key)
        self.answers.forget(key)
        self.denials.pop(key, None)
        self.sampler.forget(key)
        self.notices.forget(key)
        if (runner := self._check_runners.pop(key, None)) is not None:
            runner.close()

    def close(self) -> None:
        for key in list(self._check_runners):
            self.forget(key)
        self.sampler.close()
        self.workloads.stop()
        self.notices.close()
        self._services.close()
        self._directory.cleanup()


def reconciler(
    shared: Shared,
    rollout: Rollout,
    policy: PolicySpec,
    status_store: StatusStore,
    resource: ResourceFacts,
    warned: set[str],
    owner: OwningRollout,
) -> Reconciler:
    """Return the loop's body for one turn of a rollout. Cheap: everything that lasts is shared."""
    spec, metadata = rollout.spec, rollout.metadata
    status = rollout.status
    api = ReadOnce(shared.api, shared.workloads)
    key = f"{metadata.namespace}/{metadata.name}"
    naming, roles = with_roles(api, naming_of(rollout), status)
    route_kinds = tuple(route_kind_of(route)[0].kind.kind for route in spec.routes)
    workloads = KeptWorkloads(
        api,
        naming,
        route_kinds,
        partial(shared.may_write, key),
        roles,
        shared.identities,
        answers=shared.answers,
        rollout=key,
    )
    return Reconciler(
        policy_of=lambda _: policy,
        ports=Ports(
            status_store=status_store,
            routers=_routers_of(shared, rollout, naming, owner),
            metrics=shared.sampler.of(
                key,
                ClusterMetrics(
                    key,
                    shared.readings,
                    partial(shared.prometheus, namespace=metadata.namespace),
                    naming,
                    spec,
                    partial(_pods_of, shared, key, naming),
                ),
            ),
            workloads=workloads,
            gatekeeper=_Idle() if shared.dry_run else shared.check_runner_of(metadata, naming),
            clock=CLOCK,
            states=shared.states_of(metadata, naming, route_kinds),
            conversations=shared.conversation_counts.of(spec, key, naming, route_kinds),
            notifier=None if shared.dry_run else shared.notices,
        ),
        resource=resource,
        warned=warned,
    )


def _pods_of(shared: Shared, key: str, naming: Naming, version: str) -> Pods:
    """Return what is behind a version's Service, by whose series it is counted."""

    def read(reads: Reads) -> Pods:
        api = ReadOnce(shared.api, shared.workloads)
        with api.noting(reads):
            return pods_behind(api, naming, version)

    return shared.answers.of(key, f"pods of {version}", naming, read)


def _routers_of(shared: Shared, rollout: Rollout, naming: Naming, owner: OwningRollout) -> tuple[Router, ...]:
    """Return who carries out each rule that is shifted."""
    key, status = f"{rollout.metadata.namespace}/{rollout.metadata.name}", rollout.status
    versions = versions_of(status, rollout.spec.version)
    splits = _splits_of(shared, rollout, naming, versions)
    routers = tuple(
        KeptRouter(
            KubernetesRouter(
                shared.api,
                shared.caches[split.route_kind.key],
                split,
                naming,
                versions,
                partial(shared.may_write, key),
                beside=tuple(other for other in splits if other is not split),
                alone=status.is_active,
                denials=shared.denials.setdefault(key, {}),
                conversations=rollout.spec.conversations,
                owner=owner,
                draining=tuple(status.draining),
                labels=frozenset(split.label for split in splits),
            ),
            shared.answers,
            key,
        )
        for split in splits
    )
    return tuple(map(ReadOnlyRouter, routers)) if shared.dry_run else routers


def _splits_of(shared: Shared, rollout: Rollout, naming: Naming, versions: tuple[str, ...]) -> list[Split]:
    """Return every rule that is shifted: those that were chosen, unless they are chosen just now."""
    status = rollout.status
    rules = {} if status.phase is Phase.PREFLIGHT else status.rules
    splits: list[Split] = []
    for route in rollout.spec.routes:
        route_kind, named = route_kind_of(route)
        get = partial(shared.caches[route_kind.key].get, rollout.metadata.namespace)
        every = splits_of(route_kind, named, get, naming, versions, rules)
        # At rest a further rule that somebody has taken out is nobody's any more.
        splits += [split for split in every if status.is_active or split is every[0] or is_there(split, get)]
    return splits


def versions_of(status: Status, wanted: str | None) -> tuple[str, ...]:
    """Return the versions that a rule must name: stable first, then the one that is released, or would be."""
    if status.phase is Phase.DRAINING:
        return tuple(version for version in (status.previous_version, status.stable_version) if version)
    candidate = status.candidate_version if status.is_active else wanted
    return tuple(dict.fromkeys(version for version in (status.stable_version, candidate) if version))


class _Idle:
    """A gatekeeper for a dry run: it reads the calendar and asks nobody."""

    def calendar(self, gates: Gates) -> Calendar:
        return reading(gates, datetime.now(UTC))

    def checks(self, rollout: Rollout, gates: Gates) -> Mapping[str, CheckFact]:
        del rollout, gates
        return {}
