"""Where one rollout's counters come from in a cluster: its Prometheus, connected to when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.backend_names import backend_names
from rollout.adapters.metrics.presets import STARTED
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_reading import Question, Reading, filler
from rollout.adapters.metrics.prometheus_source import Asking
from rollout.model.api.metrics import Prometheus
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import RolloutSpec
from rollout.model.api.wiring import cluster_spec
from rollout.runtime.clock import CLOCK

Connect = Callable[[Prometheus], PrometheusClient]


@dataclass(frozen=True)
class Measured:
    """By what the selectors of a rollout are filled in: readings of the same are the same."""

    naming: Naming
    requests: str | None
    pinned: bool

    def reading(self, question: Question) -> Reading:
        fill = filler(self.naming.name, self.naming.services_in, backend_names(self.naming))
        return Reading(question, fill, requests=self.requests, pinned=self.pinned)


@dataclass
class Readings:
    """The reading of each rollout, kept from one sample to the next."""

    kept: dict[str, tuple[Measured, Question, Reading]] = field(default_factory=dict)

    def of(self, key: str, measured: Measured, question: Question) -> Reading:
        known = self.kept.get(key)
        if known is not None and known[0] == measured and known[1] == question:
            return known[2]
        reading = measured.reading(question)
        self.kept[key] = (measured, question, reading)
        return reading

    def forget(self, key: str) -> None:
        self.kept.pop(key, None)


@dataclass(frozen=True)
class ClusterMetrics:
    """The metrics of one rollout. Its Prometheus is connected to where it is read: no Secret stands before an abort.

    Attributes:
        connect: returns a client for what is declared; it raises Unavailable where that is not allowed.
        pods_of: what is behind a version's Service.
    """

    key: str
    readings: Readings
    connect: Connect
    naming: Naming
    spec: RolloutSpec
    pods_of: Callable[[str], Pods]

    def asking(self, question: Question) -> Asking:
        """Make a question ready. Raises Unavailable."""
        declared, pinned = cluster_spec(self.spec).prometheus, self.spec.conversations.pin is not None
        # Of new conversations, where others stay.
        requests = STARTED if pinned and declared.requests is None else declared.requests
        reading = self.readings.of(self.key, Measured(self.naming, requests, pinned), question)
        client = self.connect(declared)
        pods: Mapping[str, Pods] = {version: self.pods_of(version) for version in (question.stable, question.candidate)}
        return Asking(client, reading, pods, declared.stale_after_s, CLOCK.now)
