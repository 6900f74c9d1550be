"""One round of one rollout, ready to be asked: its selectors, and what to make of their series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.outcomes import more_than_all
from rollout.adapters.metrics.presets import ROUTERS, UNPINNED
from rollout.adapters.metrics.queries import Query, resolve
from rollout.adapters.metrics.selected import Selected
from rollout.adapters.metrics.terms import BOUND, Answered, Terms, any_spelling
from rollout.engine.facts import Counters, KpiReading, Round
from rollout.model.api.kpi import Kpi
from rollout.model.units import expand

Fill = Callable[[str, str], str]
"""A selector with its template filled in, for a version."""


@dataclass(frozen=True)
class Question:
    """What a rollout asks: the counters of two versions.

    Attributes:
        spend: the counter of what the candidate costs.
    """

    stable: str
    candidate: str
    kpis: tuple[Kpi, ...]
    spend: str | None = None


class Reading:
    """The selectors of one question. It is made once, and asked as often as there are samples.

    Args:
        requests: the selector that the split is measured by, with `$version` open; None: the KPIs' own.
        pinned: whether conversations are pinned: then turns are counted that came without their pin.
    """

    def __init__(self, question: Question, fill: Fill, *, requests: str | None, pinned: bool) -> None:
        self._question, self._pinned = question, pinned
        self._queries, faults = resolve(question.kpis)
        assert not faults, "documents were checked before anything started"
        self._split = requests or split_of(question.kpis, self._queries)
        self._terms = Terms()
        self._filled: dict[tuple[str, str], str] = {}
        texts = [
            (text, query.preset)
            for query in self._queries
            for text in (query.counted, query.total, query.among)
            if text
        ]
        for template, preset in (*texts, (self._split, ""), *(((UNPINNED, ""),) if pinned else ())):
            for version in (question.stable, question.candidate):
                self._add(template, version, preset, fill)
        if question.spend:
            self._add(question.spend, question.candidate, "", fill)

    @property
    def texts(self) -> tuple[str, ...]:
        """The selectors to ask for."""
        return tuple(self._terms.by_text)

    def _add(self, template: str, version: str, preset: str, fill: Fill) -> None:
        text = BOUND.sub(lambda match: any_spelling(match.group(1)), fill(template, version).strip())
        self._filled[template, version] = text
        self._terms.add(text, template, version, preset)

    def round(
        self, selected: Selected, pods: Mapping[str, Pods] | None, stale_after_s: float, now: datetime | None
    ) -> Round:
        """Return what the series mean.

        Args:
            pods: what is behind each version's Service; None: whatever is selected counts.
            now: the engine's time; None: the round does not say when it was taken.
        """
        answered = Answered(self._terms, selected, stale_after_s, pods)
        question, split = self._question, self._split
        return Round(
            kpis={query.name: self._outcomes(answered, query) for query in self._queries},
            requests=self._counters(answered, split, split),
            responses={
                query.name: self._counters(answered, query.total, query.among) for query in self._queries if query.among
            },
            spend=self._spend(answered) if question.spend else None,
            unpinned=self._unpinned(answered) if self._pinned else None,
            lagging=True,
            at=None if now is None else now - timedelta(seconds=max(0.0, answered.age_s)),
            mark=answered.mark,
        )

    @property
    def _versions(self) -> tuple[str, str]:
        return self._question.stable, self._question.candidate

    def _outcomes(self, answered: Answered, query: Query) -> KpiReading:
        counted, total = query.counted, query.total
        read = self._counters(answered, counted, total, good=query.good)
        problems = (more_than_all(arm, counted, total) for arm in (read.stable, read.candidate) if query.is_share)
        problem = next(filter(None, problems), "")
        return KpiReading(problem=problem) if problem else read

    def _counters(self, answered: Answered, counted: str, total: str, *, good: bool = False) -> KpiReading:
        stable, candidate = self._versions
        arms: list[Counters] = []
        for version in self._versions:
            every_text, bad_text = self._filled[total, version], self._filled[counted, version]
            bad, every = answered.series(bad_text), answered.series(every_text)
            if problem := answered.problem(every_text, must_exist=version == stable):
                return KpiReading(problem=problem)
            if problem := answered.problem(bad_text):
                return KpiReading(problem=problem)
            if good and every and not bad and "le=" in counted:  # a bucket is there from the first outcome on
                return KpiReading(problem=f"there is no series {bad_text}: is that a bucket's bound?")
            arms.append(Counters(bad=bad, total=every))
        shared = arms[0].total.keys() & arms[1].total.keys() or arms[0].bad.keys() & arms[1].bad.keys()
        if stable != candidate and shared:
            message = f"{len(shared)} series are counted for {stable} and for {candidate} ({counted}, {total})"
            return KpiReading(problem=f"{message}: the versions cannot be told apart; put $version into a label")
        return KpiReading(stable=arms[0], candidate=arms[1], good=good)

    def _unpinned(self, answered: Answered) -> KpiReading | None:
        """Return the turns without a pin; None where the agents do not count them."""
        texts = [self._filled[UNPINNED, version] for version in self._versions]
        if any(answered.problem(text) for text in texts):
            return None
        stable, candidate = (Counters(total=answered.series(text)) for text in texts)
        return KpiReading(stable=stable, candidate=candidate)

    def _spend(self, answered: Answered) -> KpiReading:
        text = self._filled[self._question.spend or "", self._question.candidate]
        if problem := answered.problem(text):
            return KpiReading(problem=problem)
        return KpiReading(candidate=Counters(total=answered.series(text)))


def filler(name: str, namespace: str, names_of: Callable[[str], Mapping[str, str]]) -> Fill:
    """Return how templates are filled in for a version.

    Args:
        names_of: what a version's backend is called, by the names that selectors use.
    """

    def fill(template: str, version: str) -> str:
        return expand(template, **{"name": name, "version": version, "namespace": namespace, **names_of(version)})

    return fill


def split_of(kpis: tuple[Kpi, ...], queries: tuple[Query, ...]) -> str:
    """Return the counter that the split is measured by: the router's own where a KPI names it, else the first KPI's."""
    routers = [kpi.name for kpi in kpis if (kpi.preset or "").partition("/")[0] in ROUTERS]
    chosen = next((query for query in queries if query.name in routers), queries[0])
    return chosen.total
