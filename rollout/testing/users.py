"""Users of a small world: how often each version fails them, and the counters that grow by it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log, log1p

from rollout.engine.facts import Counters, KpiReading, Round
from rollout.model.api.kpi import Kpi
from rollout.testing.fakes import EPOCH

USUAL_RATE = 0.01
"""How often an outcome is bad where no rate is given."""


@dataclass
class Behaviour:
    """How one version behaves: the chance of a bad outcome, by KPI.

    Attributes:
        errors, tasks: of the KPIs of the example policy.
        rates: of others, by name.
        cost: what a request costs on average.
        answers: how many of those who are asked respond.
        late_s: after how long failed tasks are known.
    """

    errors: float = 0.01
    tasks: float = 0.04
    cost: float = 0.01
    answers: float = 0.2
    late_s: float = 0.0
    rates: dict[str, float] = field(default_factory=dict)

    def rate_of(self, kpi: str) -> float:
        """Return the chance of a bad outcome of a KPI."""
        usual = {"errors": self.errors, "tasks": self.tasks}.get(kpi, USUAL_RATE)
        return self.rates.get(kpi, usual)


def binomial(chance: random.Random, trials: int, rate: float) -> int:
    """Draw how many of `trials` happen at `rate`: from one that happens to the next, as most do not."""
    if rate > 0.5:
        return trials - binomial(chance, trials, 1.0 - rate)
    hits, at = 0, 0
    while rate > 0.0:
        at += 1 + int(log(1.0 - chance.random()) / log1p(-rate))
        if at > trials:
            break
        hits += 1
    return hits


@dataclass
class FakeMetrics:
    """Counters that grow while the clock runs: the metrics source of a small world.

    Attributes:
        names: the KPIs with bad outcomes.
        failing: KPIs that cannot be read.
        responses: KPIs that people respond to of their own accord.
        per_response: by version, how many respond, and how many of those complain.
        unpinned: how many turns a request comes without its pin; None where nobody counts them.
    """

    random: random.Random
    names: tuple[str, ...] = ("errors", "tasks")
    totals: dict[tuple[str, str, str], float] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    responses: set[str] = field(default_factory=set)
    per_response: dict[str, tuple[float, float]] = field(default_factory=dict)
    coming: list[tuple[datetime, str, int]] = field(default_factory=list)
    unpinned: float | None = None

    def grow(self, version: str, behaviour: Behaviour, requests: int, now: datetime = EPOCH) -> None:
        """Count what becomes of some requests of a version."""
        for kpi in self.names:
            bad = binomial(self.random, requests, behaviour.rate_of(kpi))
            if kpi == "tasks" and behaviour.late_s:
                self.coming.append((now + timedelta(seconds=behaviour.late_s), version, bad))
            else:
                self._add(version, kpi, "bad", bad)
            self._add(version, kpi, "total", requests)
        self._add(version, "unpinned", "total", requests * (self.unpinned or 0.0))
        self._add(version, "spend", "total", requests * behaviour.cost)
        cost = self.random.gammavariate(requests, behaviour.cost) if requests else 0.0  # a sum of exponential ones
        self._add(version, "cost", "bad", cost)
        self._add(version, "cost", "total", requests)
        answered = self._respond(version, behaviour, requests)
        self._add(version, "tasks given", "bad", answered)
        self._add(version, "tasks given", "total", requests)

    def deliver(self, now: datetime) -> None:
        """Let failures that are known by now be counted."""
        for _, version, bad in [late for late in self.coming if late[0] <= now]:
            self._add(version, "tasks", "bad", bad)
        self.coming = [late for late in self.coming if late[0] > now]

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        return Round(
            kpis={kpi.name: self._reading(kpi.name, stable, candidate) for kpi in kpis},
            requests=self._reading(self.names[0], stable, candidate),
            responses={name: self._reading(f"{name} given", stable, candidate) for name in self.responses},
            spend=self._reading("spend", stable, candidate) if spend else None,
            unpinned=self._reading("unpinned", stable, candidate) if self.unpinned is not None else None,
        )

    def _respond(self, version: str, behaviour: Behaviour, requests: int) -> int:
        """Let people respond; where a version says how, `tasks` counts what they say."""
        if version not in self.per_response:
            return binomial(self.random, requests, behaviour.answers)
        respond, complain = self.per_response[version]
        given = binomial(self.random, requests, respond)
        self.totals[version, "tasks", "total"] = self.totals.get((version, "tasks", "given"), 0.0) + given
        self._add(version, "tasks", "given", given)
        self.totals[version, "tasks", "bad"] = self.totals.get((version, "tasks", "responses"), 0.0)
        complaints = binomial(self.random, given, complain)
        self._add(version, "tasks", "responses", complaints)
        self.totals[version, "tasks", "bad"] += complaints
        return given

    def _add(self, version: str, kpi: str, what: str, count: float) -> None:
        key = (version, kpi, what)
        self.totals[key] = self.totals.get(key, 0.0) + count

    def _reading(self, kpi: str, stable: str, candidate: str) -> KpiReading:
        if kpi in self.failing:
            return KpiReading(problem=f"the page of {kpi} did not answer")
        return KpiReading(stable=self._counters(stable, kpi), candidate=self._counters(candidate, kpi))

    def _counters(self, version: str, kpi: str) -> Counters:
        series = f"{version}|{kpi}"
        bad, total = (self.totals.get((version, kpi, what), 0.0) for what in ("bad", "total"))
        return Counters(bad={series: bad}, total={series: total})
