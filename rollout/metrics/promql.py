"""The metrics source `prometheus`: all counters of both versions in one query, so that they are of one moment.

Every selector of the round becomes one term that says which one it is, and the terms are joined by `or`. Counters come
raw, series by series: what happened between two looks is counted by the engine, with no `rate()` that extrapolates.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from rollout.engine.facts import Counters, Reading, Round
from rollout.metrics.prometheus import Answer, PrometheusClient, Sample
from rollout.metrics.queries import Query, resolve
from rollout.metrics.scrape import SERIES_MAX
from rollout.model.kpi import Kpi
from rollout.model.units import expand

LABEL = "rollout_term"
QUERY_MAX_CHARACTERS = 6000
"""The client writes queries into the URL; proxies take 8 KB."""

_PROCESS = ("job", "namespace", "pod", "instance")
"""What tells one process from another: its counters begin anew together."""


@dataclass(frozen=True, slots=True)
class Term:
    """One selector of a round. id: by which its series are known in the answer. version: whose it is."""

    id: str
    text: str
    version: str = ""

    @property
    def promql(self) -> str:
        return f'label_replace({self.text},"{LABEL}","{self.id}","","")'

    @property
    def newest(self) -> str:
        """The time of its newest sample: an instant query would also show one that is five minutes old."""
        return f'label_replace(max(timestamp({self.text})),"{LABEL}","{self.id}@","","")'


@dataclass
class _Terms:
    """The distinct selectors of a round."""

    by_text: dict[str, Term] = field(default_factory=dict)

    def of(self, text: str, version: str = "") -> Term:
        return self.by_text.setdefault(text, Term(f"t{len(self.by_text)}", text, version))


class PrometheusSource:
    """Reads KPIs by PromQL.

    requests: the selector that the split is measured by, with `$version` open; None: the KPIs' own. service_of: a
    version's Service. now: unix seconds.
    """

    def __init__(
        self,
        client: PrometheusClient,
        name: str,
        namespace: str,
        service_of: Callable[[str], str],
        *,
        requests: str | None,
        stale_after_s: float,
        now: Callable[[], float],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._client, self._name, self._namespace = client, name, namespace
        self._service_of, self._requests, self._stale_after_s, self._now = service_of, requests, stale_after_s, now
        self._clock = clock

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        """Read every counter of both versions at one time."""
        queries, faults = resolve(kpis)
        assert not faults, "documents were checked before anything started"
        split = self._requests or split_of(kpis, queries)
        texts = [text for query in queries for text in (query.counted, query.total, query.among) if text]
        terms = _Terms()
        for text in (*texts, split):
            for version in (stable, candidate):
                terms.of(self._selector(text, version), version)
        if spend:
            terms.of(self._selector(spend, candidate), candidate)
        found = _Found(terms, self._answer(terms.by_text.values()), self._stale_after_s)

        def reading(counted: str, total: str, *, good: bool = False) -> Reading:
            return self._reading(found, (stable, candidate), counted, total, good=good)

        return Round(
            kpis={query.name: reading(query.counted, query.total, good=query.good) for query in queries},
            requests=reading(split, split),
            responses={query.name: reading(query.total, query.among) for query in queries if query.among},
            spend=self._spend(found, spend, candidate) if spend else None,
            lagging=True,
            at=None if self._clock is None else self._clock() - timedelta(seconds=max(0.0, found.age_s)),
            mark=found.mark,
        )

    def _selector(self, text: str, version: str) -> str:
        service = self._service_of(version)
        filled = expand(text, name=self._name, version=version, namespace=self._namespace, service=service)
        return _BOUND.sub(lambda match: any_spelling(match.group(1)), filled.strip())

    def _answer(self, terms: Iterable[Term]) -> Answer:
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
        return Answer(tuple(samples))

    def _reading(self, found: _Found, versions: tuple[str, str], counted: str, total: str, *, good: bool) -> Reading:
        stable, candidate = versions
        arms: list[Counters] = []
        for version in versions:
            bad = found.series(self._selector(counted, version))
            every = found.series(self._selector(total, version))
            if problem := found.problem(self._selector(total, version), must_exist=version == stable):
                return Reading(problem=problem)
            if problem := found.problem(self._selector(counted, version)):
                return Reading(problem=problem)
            if good and every and not bad and "le=" in counted:  # a bucket is there from the first outcome on
                return Reading(
                    problem=f"there is no series {self._selector(counted, version)}: is that a bucket's bound?"
                )
            arms.append(Counters(bad=bad, total=every))
        shared = arms[0].total.keys() & arms[1].total.keys() or arms[0].bad.keys() & arms[1].bad.keys()
        if stable != candidate and shared:
            told = f"{len(shared)} series are counted for {stable} and for {candidate} ({counted}, {total})"
            return Reading(problem=f"{told}: the versions cannot be told apart; put $version into a label")
        return Reading(stable=arms[0], candidate=arms[1], good=good)

    def _spend(self, found: _Found, counter: str, candidate: str) -> Reading:
        text = self._selector(counter, candidate)
        if problem := found.problem(text):
            return Reading(problem=problem)
        return Reading(candidate=Counters(total=found.series(text)))


def split_of(kpis: tuple[Kpi, ...], queries: tuple[Query, ...]) -> str:
    """Return the counter that the split is measured by: the router's own where a KPI names it, else the first KPI's."""
    routers = [kpi.name for kpi in kpis if (kpi.preset or "").partition("/")[0] in ("gateway", "istio")]
    chosen = next((query for query in queries if query.name in routers), queries[0])
    return chosen.total


class _Found:
    """An answer, term by term."""

    def __init__(self, terms: _Terms, answer: Answer, stale_after_s: float) -> None:
        self._terms, self._answer, self._stale_after_s = terms, answer, stale_after_s
        self._series: dict[str, dict[str, float]] = {}
        self._age_s: dict[str, float] = {}
        newest: dict[str, float] = {}
        for sample in answer.samples:
            term = sample.labels.get(LABEL, "")
            if term.endswith("@"):
                self._age_s[term[:-1]] = sample.at - sample.value
                newest[term[:-1]] = sample.value
            else:
                self._series.setdefault(term, {})[_name(sample)] = sample.value

        self._newest = {id_: at for id_, at in newest.items() if id_ in self._series}

    def _by_version(self, of: Mapping[str, float], best: Callable[[Iterable[float]], float]) -> list[float]:
        """Return the best of each version's terms: one scrape of a version has all of its counters."""
        by_version: dict[str, list[float]] = {}
        for term in self._terms.by_text.values():
            if term.id in of:
                by_version.setdefault(term.version, []).append(of[term.id])
        return [best(values) for values in by_version.values()]

    @property
    def age_s(self) -> float:
        """How old the newest sample of the version is whose newest is the oldest."""
        return max(self._by_version(self._age_s, min), default=0.0)

    @property
    def mark(self) -> str:
        """By what these samples are told from others: when the newest of that version was taken."""
        newest = self._by_version(self._newest, max)
        return f"{min(newest):.3f}" if newest else ""

    def series(self, text: str) -> dict[str, float]:
        return self._series.get(self._terms.of(text).id, {})

    def problem(self, text: str, must_exist: bool = False) -> str:
        """Say why a selector's series are not to be used. must_exist: whether none at all is a fault too."""
        if self._answer.problem:
            return self._answer.problem
        found, id_ = self.series(text), self._terms.of(text).id
        if must_exist and not found:
            return f"there is no series {text}: is the name right, and do its labels say so?"
        if len(found) > SERIES_MAX:
            return f"{text} has {len(found)} series, more than {SERIES_MAX}: take out a label"
        if any(value < 0 for value in found.values()):
            return f"{text} has a value below 0: that is no counter"
        if found and self._age_s.get(id_, 0.0) > self._stale_after_s:
            return f"{text} was last seen {self._age_s[id_]:.0f} s ago: is it still scraped?"
        return ""


_BOUND = re.compile(r'\ble="([0-9.eE+-]+)"')


def any_spelling(bound: str) -> str:
    """Return a matcher for a bucket's bound however it is written: 8000, 8000.0 and 8e+03 are one.

    Clients write them differently, and Prometheus 3 rewrites them; an exact match would find nothing, which is no fault
    to Prometheus, and make every outcome a bad one.
    """
    try:
        value = float(bound)
    except ValueError:
        return f'le="{bound}"'
    if not math.isfinite(value):
        return f'le="{bound}"'
    digits = f"{Decimal(repr(value)).normalize():e}"
    mantissa, _, exponent = digits.partition("e")
    written = {bound, repr(value), digits, f"{mantissa}e{int(exponent):+03d}", f"{value:g}", f"{value:f}".rstrip("0")}
    if value.is_integer():
        written |= {f"{value:.0f}", f"{value:.1f}"}
    spellings = sorted(each.rstrip(".") for each in written if float(each) == value)
    return f'le=~"{"|".join(each.replace(".", "[.]").replace("+", "[+]") for each in dict.fromkeys(spellings))}"'


def _name(sample: Sample) -> str:
    """Return a short name of a series, its process first: whole label sets would not fit into a status."""
    labels = {label: value for label, value in sample.labels.items() if label != LABEL}
    process = "\0".join(labels.get(label, "") for label in _PROCESS)
    return f"{_digest(process)}|{_digest(repr(sorted(labels.items())))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
