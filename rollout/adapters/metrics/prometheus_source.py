"""The metrics source `prometheus`: all counters of both versions in one query, so that they are of one moment.

Counters come raw, series by series: what happened between two samples is counted by the engine, with no `rate()` that
extrapolates. Rounds of several rollouts that ask one Prometheus are asked together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_reading import Question, Reading, filler
from rollout.adapters.metrics.selected import Selected, select
from rollout.engine.facts import Round
from rollout.model.api.kpi import Kpi


@dataclass(frozen=True)
class Asking:
    """One round that is ready to be asked.

    Attributes:
        pods: what is behind each version's Service; None: whatever is selected counts.
        clock: the engine's.
    """

    client: PrometheusClient
    reading: Reading
    pods: Mapping[str, Pods] | None
    stale_after_s: float
    clock: Callable[[], datetime] | None

    def round(self, selected: Selected) -> Round:
        now = None if self.clock is None else self.clock()
        return self.reading.round(selected, self.pods, self.stale_after_s, now)


class PrometheusSource:
    """Reads KPIs by PromQL.

    Args:
        names_of: what a version's backend is called, by the names that selectors use.
        requests: the selector that the split is measured by, with `$version` open; None: the KPIs' own.
        now: unix seconds.
        clock: the engine's.
        pods_of: what is behind a version's Service.
        pinned: whether conversations are pinned: then turns are counted that came without their pin.
    """

    def __init__(
        self,
        client: PrometheusClient,
        name: str,
        namespace: str,
        names_of: Callable[[str], Mapping[str, str]],
        *,
        requests: str | None,
        stale_after_s: float,
        now: Callable[[], float],
        clock: Callable[[], datetime] | None = None,
        pods_of: Callable[[str], Pods] | None = None,
        pinned: bool = False,
    ) -> None:
        self._client, self._fill = client, filler(name, namespace, names_of)
        self._requests, self._stale_after_s, self._now = requests, stale_after_s, now
        self._clock, self._pods_of, self._pinned = clock, pods_of, pinned

    def asking(self, question: Question) -> Asking:
        """Return a round that is ready to be asked."""
        reading = Reading(question, self._fill, requests=self._requests, pinned=self._pinned)
        versions = (question.stable, question.candidate)
        pods = {version: self._pods_of(version) for version in versions} if self._pods_of is not None else None
        return Asking(self._client, reading, pods, self._stale_after_s, self._clock)

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        """Read every counter of both versions at one time."""
        return asked_together([self.asking(Question(stable, candidate, kpis, spend))], self._now)[0]


def asked_together(askings: Sequence[Asking], now: Callable[[], float]) -> list[Round]:
    """Ask for several rounds of one Prometheus at once; return each.

    What makes their common query fail is told to whoever has asked for it: each half is asked by itself then.

    Args:
        now: unix seconds.
    """
    selected = select(askings[0].client, _texts(askings), now)
    if selected.problem and selected.is_of_query and len(askings) > 1:
        middle = len(askings) // 2
        return [*asked_together(askings[:middle], now), *asked_together(askings[middle:], now)]
    return [asking.round(selected) for asking in askings]


def _texts(askings: Iterable[Asking]) -> list[str]:
    return [text for asking in askings for text in asking.reading.texts]
