"""A Prometheus for benchmarks whose counters rise with time, by themselves: it costs nothing while nobody asks."""

from __future__ import annotations

import re
import time

from tests.fakes import prometheus

PER_SECOND = 10.0
RATE = 0.02
SCRAPED_EVERY_S = 1.0
NAMES = {
    "agent_tasks_started_total": False,
    "agent_tasks_failed_total": False,
    "agent_requests_total": True,
    "agent_errors_total": True,
}
"""The counters of an agent, and whether they say which agent they are of in any case."""

Series = tuple[tuple[tuple[str, str], ...], dict[str, str]]


class RisingCounters(prometheus.FakePrometheus):
    """Counters of many agents, each at v1 and v2. fails: of which pods, and since when, nine of ten tasks do.

    named: whether all counters say which agent they are of.
    """

    def __init__(self, agents: list[str], *, named: bool = False) -> None:
        super().__init__()
        self.began = time.time()
        self.fails: dict[str, float] = {}
        self.labels: dict[str, list[Series]] = {name: [] for name in NAMES}
        self._by_agent: dict[tuple[str, str], list[Series]] = {}
        for agent in agents:
            for version in ("v1", "v2"):
                own = {"namespace": "agents", "pod": f"{agent}-{version}", "version": version}
                for name, says in NAMES.items():
                    labels = {**({"agent": agent} if says or named else {}), **own}
                    self.labels[name].append((tuple(sorted(labels.items())), labels))
                    self._by_agent.setdefault((name, agent), []).append(self.labels[name][-1])

    def matching(self, selector):
        scraped = time.time() // SCRAPED_EVERY_S * SCRAPED_EVERY_S
        wanted = {m.label: _values(m.value) for m in selector.matchers if m.operator in ("=", "=~")}
        series = self.labels.get(selector.name, [])
        if "agent" in wanted:
            series = [one for agent in wanted["agent"] for one in self._by_agent.get((selector.name, agent), ())]
        return [
            (pairs, self.value(selector.name, labels["pod"], scraped))
            for pairs, labels in series
            if all(labels.get(label, "") in values for label, values in wanted.items())
        ]

    def value(self, name: str, pod: str, scraped: float) -> float:
        """Return a counter as it was scraped last."""
        total = (scraped - self.began) * PER_SECOND
        if not name.endswith(("failed_total", "errors_total")):
            return float(int(total))
        since = self.fails.get(pod)
        more = max(0.0, scraped - since) * PER_SECOND if since else 0.0
        return float(int(total * RATE + more * (0.9 - RATE)))


def _values(pattern: str) -> set[str]:
    """Return the texts of a pattern that lists some."""
    return {re.sub(r"\\(.)", r"\1", text) for text in pattern.split("|")}
