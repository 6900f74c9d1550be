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
"""The counters of an agent, and whether they say which agent they are of."""


class RisingCounters(prometheus.FakePrometheus):
    """Counters of many agents, each at v1 and v2. fails: of which pods, and since when, nine of ten tasks do."""

    def __init__(self, agents: list[str]) -> None:
        super().__init__()
        self.began = time.time()
        self.fails: dict[str, float] = {}
        self.labels: dict[str, list[tuple[tuple[tuple[str, str], ...], dict[str, str]]]] = {name: [] for name in NAMES}
        for agent in agents:
            for version in ("v1", "v2"):
                own = {"namespace": "agents", "pod": f"{agent}-{version}", "version": version}
                for name, says in NAMES.items():
                    labels = {**({"agent": agent} if says else {}), **own}
                    self.labels[name].append((tuple(sorted(labels.items())), labels))

    def matching(self, selector):
        scraped = time.time() // SCRAPED_EVERY_S * SCRAPED_EVERY_S
        wanted = {m.label: _values(m.value) for m in selector.matchers if m.operator in ("=", "=~")}
        return [
            (pairs, self.value(selector.name, labels["pod"], scraped))
            for pairs, labels in self.labels.get(selector.name, ())
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
