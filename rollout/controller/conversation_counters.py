"""Who counts the open conversations of each rollout in a cluster: by a gauge, by its pods, or in its store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rollout.adapters.conversations.counter import ConversationCounter, Count
from rollout.adapters.conversations.pages import from_pages
from rollout.adapters.conversations.threads import from_threads
from rollout.adapters.http import Services
from rollout.adapters.kubernetes.api import Api
from rollout.adapters.metrics import gauges
from rollout.adapters.metrics.backend_names import backend_names
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.workloads.service_urls import endpoint_urls
from rollout.contracts.samples.snapshot import Limits
from rollout.contracts.samples.stores import survey
from rollout.model.api.conversations import ConversationCensus
from rollout.model.api.metrics import Prometheus
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import RolloutSpec
from rollout.model.api.state_sources import StateStore
from rollout.model.api.wiring import cluster_spec
from rollout.model.units import expand

SURVEY = Limits(newest=1000, time_s=10.0)
"""How much of a store is looked at to count the threads that are open."""


class ConversationCounters:
    """The counters of all rollouts of one controller.

    Args:
        client: a client for a Prometheus that a namespace names.
        address_of: the address of a store that a namespace names.
    """

    def __init__(
        self,
        api: Api,
        services: Services,
        client: Callable[[Prometheus, str], PrometheusClient],
        address_of: Callable[[str, StateStore], str],
    ) -> None:
        self._api, self._services, self._client, self._address_of = api, services, client, address_of
        self._counters: dict[str, tuple[tuple[ConversationCensus, Naming], ConversationCounter]] = {}

    def of(
        self, spec: RolloutSpec, key: str, naming: Naming, route_kinds: tuple[str, ...]
    ) -> ConversationCounter | None:
        """Return who counts for one rollout; None where it does not say how."""
        census = spec.conversations.census
        if census is None:
            self.forget(key)
            return None
        known = self._counters.get(key)
        if known is None or known[0] != (census, naming):
            counter = ConversationCounter(self._count_of(census, spec, naming, route_kinds))
            known = self._counters[key] = ((census, naming), counter)
        return known[1]

    def forget(self, key: str) -> None:
        self._counters.pop(key, None)

    def _count_of(
        self, census: ConversationCensus, spec: RolloutSpec, naming: Naming, route_kinds: tuple[str, ...]
    ) -> Count:
        if census.gauge is not None:
            client = partial(self._client, cluster_spec(spec).prometheus, naming.namespace)
            return gauges.from_prometheus(client, census.gauge, partial(_filled, naming))
        if census.http is not None:
            addresses = endpoint_urls(self._api, naming, route_kinds, every=True)
            return from_pages(self._services, addresses, census.http.path)
        store, secret = spec.state_store, partial(self._address_of, naming.namespace)
        assert store is not None, "documents were checked before"
        return from_threads(lambda: survey(store, secret, SURVEY, may_name_files=False))


def _filled(naming: Naming, selector: str, version: str) -> str:
    names = {"name": naming.name, "version": version, "namespace": naming.namespace}
    return expand(selector, **names, **backend_names(naming)(version))
