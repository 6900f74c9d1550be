"""The controller's own metrics, with bounded label sets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.model.units import FULL_BP

ROLLOUTS_MAX = 2000
"""More rollouts than this get no series of their own."""


class ControllerMetrics:
    """What a controller counts. Names have the shape of controller-runtime's, so that dashboards know them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        at = self.registry
        self._reconciled = Counter("rollout_reconcile", "Reconciles, by how they ended.", ["result"], registry=at)
        self._took = Histogram("rollout_reconcile_time_seconds", "How long a reconcile takes.", registry=at)
        self.depth = Gauge("workqueue_depth", "Keys that wait for a worker.", ["name"], registry=at)
        self.leads = Gauge("leader_election_master_status", "1 while this controller leads.", ["name"], registry=at)
        self._verdicts = Counter("rollout_kpi_verdict", "Verdicts of samples, by verdict.", ["verdict"], registry=at)
        self._weight = Gauge("rollout_weight_ratio", "The candidate's share.", ["namespace", "rollout"], registry=at)
        self._phase = Gauge(
            "rollout_phase", "1 for the phase it is in.", ["namespace", "rollout", "phase"], registry=at
        )
        self._open = Gauge(
            "rollout_draining_conversations",
            "Open conversations of a version that is drained; NaN where they cannot be counted.",
            ["namespace", "rollout", "version"],
            registry=at,
        )
        self.leads.labels("rollout").set(0)
        self._known: dict[tuple[str, str], tuple[Phase, int]] = {}
        self._draining: dict[tuple[str, str], frozenset[str]] = {}

    def count(self, result: str, took_s: float) -> None:
        """Count a turn that has ended."""
        self._took.observe(took_s)
        self._reconciled.labels(result).inc()

    def count_verdicts(self, verdicts: Iterable[str]) -> None:
        """Count the verdicts of one sample."""
        for verdict in verdicts:
            self._verdicts.labels(verdict).inc()

    def show(self, namespace: str, name: str, status: Status) -> None:
        """Show where a rollout is."""
        key = (namespace, name)
        if key not in self._known and len(self._known) >= ROLLOUTS_MAX:
            return
        before, weight_bp = self._known.get(key), status.latest.traffic.wanted_bp if status.is_active else 0
        if before != (status.phase, weight_bp):
            if before is not None and before[0] is not status.phase:
                self._phase.remove(namespace, name, before[0])
            self._known[key] = status.phase, weight_bp
            self._phase.labels(namespace, name, status.phase).set(1)
            self._weight.labels(namespace, name).set(weight_bp / FULL_BP)
        self._show_drains(key, {version: drain.open for version, drain in status.draining.items() if not drain.done})

    def _show_drains(self, key: tuple[str, str], open_by_version: Mapping[str, int | None]) -> None:
        for version in self._draining.pop(key, frozenset()) - open_by_version.keys():
            self._open.remove(*key, version)
        for version, count in open_by_version.items():
            self._open.labels(*key, version).set(math.nan if count is None else count)
        if open_by_version:
            self._draining[key] = frozenset(open_by_version)

    def forget(self, namespace: str, name: str) -> None:
        """Take a rollout out that is gone."""
        known = self._known.pop((namespace, name), None)
        if known is not None:
            self._phase.remove(namespace, name, known[0])
            self._weight.remove(namespace, name)
            self._show_drains((namespace, name), {})

    def page(self) -> bytes:
        return generate_latest(self.registry)
