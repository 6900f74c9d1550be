"""The metrics source `prometheus`: all counters of both versions in one query, so that they are of one moment.

Every selector of the round becomes one term that says which one it is, and the terms are joined by `or`. Counters come
raw, series by series: what happened between two samples is counted by the engine, with no `rate()` that extrapolates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.outcomes import more_than_all
from rollout.adapters.metrics.presets import ROUTERS, UNPINNED
from rollout.adapters.metrics.prometheus_client import PrometheusClient, QueryResult, Sample
from rollout.adapters.metrics.queries import Query, resolve
from rollout.adapters.metrics.terms import _BOUND, Answered, Term, Terms, any_spelling
from rollout.engine.facts import Counters, KpiReading, Round
from rollout.model.api.kpi import Kpi
from rollout.model.units import expand

QUERY_MAX_CHARACTERS = 6000
"""The client writes queries into the URL; proxies take 8 KB."""


class PrometheusSource:
    """Reads KPIs by PromQL.

    Args:
        requests: the selector that the split is measured by, with `$version` open; None: the KPIs' own.
        names_of: what a version's backend is called, by the names that selectors use.
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
        self._client, self._name, self._namespace = client, name, namespace
        self._names_of, self._requests, self._stale_after_s, self._now = names_of, requests, stale_after_s, now
        self._clock, self._pods_of, self._pinned = clock, pods_of, pinned

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        """Read every counter of both versions at one time."""
        queries, faults = resolve(kpis)
        assert not faults, "documents were checked before anything started"
        split = self._requests or split_of(kpis, queries)
        texts = [
            (text, query.preset) for query in queries for text in (query.counted, query.total, query.among) if text
        ]
        terms = Terms()
        for text, preset in (*texts, (split, ""), *(((UNPINNED, ""),) if self._pinned else ())):
            for version in (stable, candidate):
                terms.add(self._selector(text, version), text, version, preset)
        if spend:
            terms.add(self._selector(spend, candidate), spend, candidate, "")
        answered = Answered(terms, self._answer(terms.by_text.values()), self._stale_after_s, self._pods_of)

        def reading(counted: str, total: str, *, good: bool = False, share: bool = False) -> KpiReading:
            read = self._reading(answered, (stable, candidate), counted, total, good=good)
            problems = (more_than_all(arm, counted, total) for arm in (read.stable, read.candidate) if share)
            problem = next(filter(None, problems), "")
            return KpiReading(problem=problem) if problem else read

        return Round(
            kpis={
                query.name: reading(query.counted, query.total, good=query.good, share=query.is_share)
                for query in queries
            },
            requests=reading(split, split),
            responses={query.name: reading(query.total, query.among) for query in queries if query.among},
            spend=self._spend(answered, spend, candidate) if spend else None,
            unpinned=self._unpinned(answered, (stable, candidate)) if self._pinned else None,
            lagging=True,
            at=None if self._clock is None else self._clock() - timedelta(seconds=max(0.0, answered.age_s)),
            mark=answered.mark,
        )

    def _selector(self, text: str, version: str) -> str:
        names = {"name": self._name, "version": version, "namespace": self._namespace, **self._names_of(version)}
        filled = expand(text, **names)
        return _BOUND.sub(lambda match: any_spelling(match.group(1)), filled.strip())

    def _answer(self, terms: Iterable[Term]) -> QueryResult:
        """Ask for all terms; in several queries where one would be too long, all of them at one time."""
        parts = [part for term in terms for part in (term.promql, term.newest)]
        batches: list[list[str]] = [[]]
        for part in parts:
            if batches[-1] and sum(map(len, batches[-1])) + len(part) > QUERY_MAX_CHARACTERS:
                batches.append([])
            batches[-1].append(part)
        at = self._now() if len(batches) > 1 else None
        samples: list[Sample] = []
        for batch in batches:
            answer = self._client.query(" or ".join(batch), at)
            if answer.problem:
                return answer
            samples += answer.samples
        return QueryResult(tuple(samples))

    def _reading(
        self, answered: Answered, versions: tuple[str, str], counted: str, total: str, *, good: bool
    ) -> KpiReading:
        stable, candidate = versions
        arms: list[Counters] = []
        for version in versions:
            bad = answered.series(self._selector(counted, version))
            every = answered.series(self._selector(total, version))
            if problem := answered.problem(self._selector(total, version), must_exist=version == stable):
                return KpiReading(problem=problem)
            if problem := answered.problem(self._selector(counted, version)):
                return KpiReading(problem=problem)
            if good and every and not bad and "le=" in counted:  # a bucket is there from the first outcome on
                return KpiReading(
                    problem=f"there is no series {self._selector(counted, version)}: is that a bucket's bound?"
                )
            arms.append(Counters(bad=bad, total=every))
        shared = arms[0].total.keys() & arms[1].total.keys() or arms[0].bad.keys() & arms[1].bad.keys()
        if stable != candidate and shared:
            message = f"{len(shared)} series are counted for {stable} and for {candidate} ({counted}, {total})"
            return KpiReading(problem=f"{message}: the versions cannot be told apart; put $version into a label")
        return KpiReading(stable=arms[0], candidate=arms[1], good=good)

    def _unpinned(self, answered: Answered, versions: tuple[str, str]) -> KpiReading | None:
        """Return the turns without a pin; None where the agents do not count them."""
        selectors = [self._selector(UNPINNED, version) for version in versions]
        if any(answered.problem(selector) for selector in selectors):
            return None
        stable, candidate = (Counters(total=answered.series(selector)) for selector in selectors)
        return KpiReading(stable=stable, candidate=candidate)

    def _spend(self, answered: Answered, counter: str, candidate: str) -> KpiReading:
        text = self._selector(counter, candidate)
        if problem := answered.problem(text):
            return KpiReading(problem=problem)
        return KpiReading(candidate=Counters(total=answered.series(text)))


def split_of(kpis: tuple[Kpi, ...], queries: tuple[Query, ...]) -> str:
    """Return the counter that the split is measured by: the router's own where a KPI names it, else the first KPI's."""
    routers = [kpi.name for kpi in kpis if (kpi.preset or "").partition("/")[0] in ROUTERS]
    chosen = next((query for query in queries if query.name in routers), queries[0])
    return chosen.total
