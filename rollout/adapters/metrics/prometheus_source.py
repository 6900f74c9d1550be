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
from functools import cache

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.ownership import LABELS, foreign_problem, gateway_problem
from rollout.adapters.metrics.prometheus_client import Answer, PrometheusClient, Sample
from rollout.adapters.metrics.queries import Query, resolve
from rollout.adapters.metrics.scrape import SERIES_MAX
from rollout.adapters.metrics.selector import parse
from rollout.engine.facts import Counters, Reading, Round
from rollout.model.api.kpi import Kpi
from rollout.model.units import expand

LABEL = "rollout_term"
QUERY_MAX_CHARACTERS = 6000
"""The client writes queries into the URL; proxies take 8 KB."""

_PROCESS = ("job", "namespace", "pod", "instance")
"""What tells one process from another: its counters begin anew together."""


@dataclass(frozen=True, slots=True)
class Term:
    """One selector of a round.

    id: by which its series are known in the answer. template: the selector with `$version` and the like still open.
    version: whose it is. preset: the family of presets that it is of, if it is of one.
    """

    id: str
    text: str
    template: str
    version: str
    preset: str

    @property
    def promql(self) -> str:
        return f'label_replace({self.text},"{LABEL}","{self.id}","","")'

    @property
    def newest(self) -> str:
        """The time of its newest sample: an instant query would also show one that is five minutes old."""
        by = ",".join(LABELS)
        return f'label_replace(max by({by})(timestamp({self.text})),"{LABEL}","{self.id}@","","")'


@dataclass
class _Terms:
    """The distinct selectors of a round."""

    by_text: dict[str, Term] = field(default_factory=dict)

    def add(self, text: str, template: str, version: str, preset: str) -> None:
        self.by_text.setdefault(text, Term(f"t{len(self.by_text)}", text, template, version, preset))


class PrometheusSource:
    """Reads KPIs by PromQL.

    requests: the selector that the split is measured by, with `$version` open; None: the KPIs' own. service_of: a
    version's Service. now: unix seconds. clock: the engine's. pods_of: what is behind a version's Service.
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
        pods_of: Callable[[str], Pods] | None = None,
    ) -> None:
        self._client, self._name, self._namespace = client, name, namespace
        self._service_of, self._requests, self._stale_after_s, self._now = service_of, requests, stale_after_s, now
        self._clock, self._pods_of = clock, pods_of

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        """Read every counter of both versions at one time."""
        queries, faults = resolve(kpis)
        assert not faults, "documents were checked before anything started"
        split = self._requests or split_of(kpis, queries)
        texts = [
            (text, query.preset) for query in queries for text in (query.counted, query.total, query.among) if text
        ]
        terms = _Terms()
        for text, preset in (*texts, (split, "")):
            for version in (stable, candidate):
                terms.add(self._selector(text, version), text, version, preset)
        if spend:
            terms.add(self._selector(spend, candidate), spend, candidate, "")
        found = _Found(terms, self._answer(terms.by_text.values()), self._stale_after_s, self._pods_of)

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
    """An answer, term by term, without the series of others. owners: who knows what is behind a version's Service."""

    def __init__(
        self, terms: _Terms, answer: Answer, stale_after_s: float, owners: Callable[[str], Pods] | None
    ) -> None:
        self._terms, self._answer, self._stale_after_s = terms, answer, stale_after_s
        self._pods = cache(owners) if owners is not None else None
        self._series: dict[str, dict[str, float]] = {}
        self._problems: dict[str, str] = {}
        self._absent: dict[str, str] = {}
        self._age_s: dict[str, float] = {}
        self._newest: dict[str, float] = {}
        raw: dict[str, list[Sample]] = {}
        for sample in answer.samples:
            raw.setdefault(sample.labels.get(LABEL, ""), []).append(sample)
        for term in terms.by_text.values():
            self._take(term, raw.get(term.id, []), raw.get(f"{term.id}@", []))

    def _take(self, term: Term, samples: list[Sample], newest: list[Sample]) -> None:
        problem, kept = self._of_ours(term, samples)
        if problem:
            self._problems[term.id] = problem
            return
        series = {_name(sample): sample.value for sample, ours in zip(samples, kept, strict=True) if ours}
        if samples and not series:
            self._absent[term.id] = f"{len(samples)} series {term.text}, none of a pod behind the version's Service"
        if not series:
            return
        self._series[term.id] = series
        processes = {_process(sample.labels) for sample, ours in zip(samples, kept, strict=True) if ours}
        seen = [sample for sample in newest if _process(sample.labels) in processes] or newest
        if seen:
            last = max(seen, key=lambda sample: sample.value)
            self._age_s[term.id], self._newest[term.id] = last.at - last.value, last.value

    def _of_ours(self, term: Term, samples: list[Sample]) -> tuple[str, list[bool]]:
        if self._pods is None or not samples:
            return "", [True] * len(samples)
        pods = self._pods(term.version)
        if term.preset == "istio":
            return "", [True] * len(samples)  # its selectors name the Service and the namespace
        if term.preset == "gateway":
            label = next(iter(parse(term.text).matchers)).label
            return gateway_problem((each.labels.get(label, "") for each in samples), pods.service, pods.namespace)
        labels = [each.labels for each in samples]
        return foreign_problem(term.template, labels, pods, is_preset=term.preset != "")

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
        return self._series.get(self._terms.by_text[text].id, {})

    def problem(self, text: str, must_exist: bool = False) -> str:
        """Say why a selector's series are not to be used. must_exist: whether none at all is a fault too."""
        if self._answer.problem:
            return self._answer.problem
        found, id_ = self.series(text), self._terms.by_text[text].id
        if id_ in self._problems:
            return self._problems[id_]
        if must_exist and not found and id_ in self._absent:
            return f"there are {self._absent[id_]}: compare their labels with its endpoints"
        if must_exist and not found:
            return f"there is no series {text}: is the name right, and do its labels say so?"
        if len(found) > SERIES_MAX:
            return f"{text} has {len(found)} series, more than {SERIES_MAX}: take out a label"
        if any(value < 0 for value in found.values()):
            return f"{text} has a value below 0: that is no counter"
        if found and self._age_s.get(id_, 0.0) > self._stale_after_s:
            return f"{text} was last seen {self._age_s[id_]:.0f} s ago: is it still scraped?"
        return ""


def _process(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return what tells the process that a series is of."""
    return tuple(labels.get(label, "") for label in LABELS)


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
