"""Where one rollout's counters come from in a cluster: its Prometheus, connected to when it is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.backend_names import backend_names
from rollout.adapters.metrics.presets import STARTED
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_source import PrometheusSource
from rollout.engine.facts import Round
from rollout.engine.ports import MetricsSource
from rollout.errors import Unavailable
from rollout.model.api.kpi import Kpi
from rollout.model.api.metrics import Prometheus
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import RolloutSpec
from rollout.model.api.wiring import cluster_spec
from rollout.runtime.clock import CLOCK

Connect = Callable[[Prometheus], PrometheusClient]


def metrics_source(
    connect: Connect, naming: Naming, spec: RolloutSpec, pods_of: Callable[[str], Pods]
) -> MetricsSource:
    """Return the metrics source; it is built where it is read: no Secret stands between an abort and its route.

    Args:
        connect: returns a client for what is declared; it raises Unavailable where that is not allowed.
    """
    return _LazySource(lambda: _built(connect, naming, spec, pods_of))


def _built(connect: Connect, naming: Naming, spec: RolloutSpec, pods_of: Callable[[str], Pods]) -> MetricsSource:
    declared = _measured(spec)
    try:
        client = connect(declared)
    except Unavailable as error:
        return _UnreadableSource(str(error))
    return PrometheusSource(
        client,
        naming.name,
        naming.services_in,
        backend_names(naming),
        requests=declared.requests,
        stale_after_s=declared.stale_after_s,
        now=time.time,
        clock=CLOCK.now,
        pods_of=pods_of,
        pinned=spec.conversations.pin is not None,
    )


@dataclass(frozen=True)
class _LazySource:
    """A metrics source that is built when it is read, on the thread that reads it."""

    build: Callable[[], MetricsSource]

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round | None:
        return self.build().read(stable, candidate, kpis, spend)


@dataclass(frozen=True)
class _UnreadableSource:
    """A metrics source that cannot be asked."""

    why: str

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        del stable, candidate
        return Round.unreadable(kpis, spend, self.why)


def _measured(spec: RolloutSpec) -> Prometheus:
    """Return the Prometheus with the counter that the split is measured by: of new conversations, where others stay."""
    declared = cluster_spec(spec).prometheus
    if spec.conversations.pin is None or declared.requests is not None:
        return declared
    return declared.model_copy(update={"requests": STARTED})
