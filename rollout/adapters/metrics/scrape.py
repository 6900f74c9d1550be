"""The metrics source `scrape`: the agents' own pages and the router's, no Prometheus needed.

One round reads every page once, at the same time, so that both versions are counted over the same span. A KPI is used
only when every page it needs was read; the counters keep running meanwhile and the next good round counts it all.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rollout.adapters.http import Pages
from rollout.adapters.metrics.outcomes import more_than_all
from rollout.adapters.metrics.page import Page, Unreadable, read_page
from rollout.adapters.metrics.presets import REQUESTS, ROUTER_PREFIX, UNPINNED
from rollout.adapters.metrics.queries import Query, resolve
from rollout.adapters.metrics.selector import Selector, parse
from rollout.engine.facts import Counters, KpiReading, Round
from rollout.errors import PageUnavailable
from rollout.model.api.kpi import Kpi
from rollout.model.units import expand, object_form, template_names

SERIES_MAX = 200
"""More series than this in one arm of one KPI would not fit into a rollout's status."""

BOUNDS_TOLD_MAX = 40
NAMES_TOLD_MAX = 30
ROUTER = "router"
_BIRTH = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why a KPI cannot be read.

    Attributes:
        unreachable: whether the page itself cannot, not what is looked for on it.
    """

    message: str
    unreachable: bool = False

    def as_reading(self) -> KpiReading:
        return KpiReading(problem=self.message, unreachable=self.unreachable)


_Series = dict[str, float]
"""Values by series."""


class ScrapeSource:
    """Reads KPIs from metrics pages.

    Args:
        pages_of: the metrics pages of a version.
        router_page: the router's statistics, or None where it has none.
    """

    def __init__(
        self,
        name: str,
        pages_of: Callable[[str], tuple[str, ...]],
        router_page: Callable[[], str | None],
        http: Pages,
        timeout_s: float,
        *,
        pinned: bool = False,
    ) -> None:
        """Read for one rollout.

        Args:
            pinned: whether conversations are pinned: then turns are counted that came without their pin.
        """
        self._name, self._pinned = name, pinned
        self._pages_of = pages_of
        self._router_page = router_page
        self._http = http
        self._timeout_s = timeout_s
        self._readers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="scrape")

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        """Read all pages once and return every KPI's counters for both versions.

        Args:
            spend: the counter of what a version costs, if that is capped; only the candidate's is read.
        """
        queries, faults = resolve(kpis)
        assert not faults, "documents were checked before anything started"
        urls = {url: url for version in (stable, candidate) for url in self._pages_of(version)}
        if router_url := self._router_page():
            urls[ROUTER] = router_url
        pages = dict(zip(urls, self._readers.map(self._page, urls.values()), strict=True))
        births = {url: birth for url, page in pages.items() if url != ROUTER and (birth := _birth(page)) is not None}
        requests = Query("requests", REQUESTS, REQUESTS, good=False)
        return Round(
            kpis={query.name: self._reading(query, stable, candidate, pages) for query in queries},
            requests=self._reading(requests, stable, candidate, pages),
            responses={
                query.name: self._reading(
                    Query(query.name, query.total, query.among, good=False, is_share=False), stable, candidate, pages
                )
                for query in queries
                if query.among
            },
            spend=self._spend(spend, candidate, pages) if spend else None,
            unpinned=self._unpinned(stable, candidate, pages) if self._pinned else None,
            births=births,
            pages=tuple(url for url, page in pages.items() if not page.problem),
        )

    def close(self) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _page(self, url: str) -> Page:
        try:
            return read_page(self._http.get(url, self._timeout_s), url)
        except PageUnavailable as error:
            return Page(problem=str(error))

    def _reading(self, query: Query, stable: str, candidate: str, pages: Mapping[str, Page]) -> KpiReading:
        arms: list[Counters] = []
        for version in (stable, candidate):
            values: dict[str, dict[str, float]] = {}
            for key, text in (("counted", query.counted), ("total", query.total)):
                series = self._series(text, version, pages, told_apart=key == "total")
                if isinstance(series, _Problem):
                    return series.as_reading()
                values[key] = series
            arms.append(Counters(bad=values["counted"], total=values["total"]))
            if query.is_share and (problem := more_than_all(arms[-1], query.counted, query.total)):
                return KpiReading(problem=problem)
        stable_arm, candidate_arm = arms
        if stable != candidate and (shared := stable_arm.total.keys() & candidate_arm.total.keys()):
            what = min(shared).partition("|")[2]
            message = f"{what} is counted for {stable} and for {candidate}: the versions cannot be told apart"
            return KpiReading(problem=f'{message}; add a label such as version="$version"')
        return KpiReading(stable=stable_arm, candidate=candidate_arm, good=query.good)

    def _spend(self, counter: str, candidate: str, pages: Mapping[str, Page]) -> KpiReading:
        series = self._series(counter, candidate, pages, told_apart=True, required=True)
        return series.as_reading() if isinstance(series, _Problem) else KpiReading(candidate=Counters(total=series))

    def _unpinned(self, stable: str, candidate: str, pages: Mapping[str, Page]) -> KpiReading | None:
        """Return the turns without a pin; None where the agents do not count them."""
        arms: list[Counters] = []
        for version in (stable, candidate):
            series = self._series(UNPINNED, version, pages, told_apart=False)
            if isinstance(series, _Problem):
                return None
            arms.append(Counters(total=series))
        return KpiReading(stable=arms[0], candidate=arms[1])

    def _meant(self, text: str, version: str) -> Selector:
        written = object_form(version) if text.lstrip().startswith(ROUTER_PREFIX) else version
        return parse(expand(text, name=self._name, version=written, namespace="default"))

    def missing(self, stable: str, candidate: str, kpis: tuple[Kpi, ...]) -> list[str]:
        """Say which metrics no page of either version has yet, and which there are: perhaps one has another name."""
        urls = {url for version in (stable, candidate) for url in self._pages_of(version)}
        pages = list(self._readers.map(self._page, urls))
        known = sorted({name for page in pages for name in page.names})
        named = {
            self._meant(text, candidate).name for query in resolve(kpis)[0] for text in (query.counted, query.total)
        }
        absent = sorted(name for name in named - set(known) if not name.startswith(ROUTER_PREFIX))
        there = ", ".join(known[:NAMES_TOLD_MAX]) or "nothing"
        return [
            f"there is no metric {name} yet; it counts once it is there. The pages have: {there}" for name in absent
        ]

    def _series(
        self, text: str, version: str, pages: Mapping[str, Page], *, told_apart: bool, required: bool = False
    ) -> _Series | _Problem:
        """Return the values of the series that are meant, by series; or what is wrong.

        What is not there yet has no outcomes yet: many libraries expose a series once something has happened.

        Args:
            text: a selector with `$version` open.
            required: whether the metric must be there: a cap on a counter that never comes would cap nothing.
            told_apart: whether it is a fault if there are series of that name, and none is of this version.
        """
        selector = self._meant(text, version)
        routers = selector.name.startswith(ROUTER_PREFIX)
        names = (ROUTER,) if routers else self._pages_of(version)
        series: _Series = {}
        known: set[str] = set()
        for name in names:
            page = pages.get(name, Page(problem="the router has no statistics page"))
            if page.problem:
                return _Problem(page.problem, unreachable=True)
            known |= page.names
            try:
                every = page.series(selector.name)
            except Unreadable as error:
                return _Problem(f"{error} on {name}")
            for labels, value in every:
                if selector.accepts(labels):
                    if not math.isfinite(value) or value < 0:
                        return _Problem(f"{selector.name} has the value {value} on {name}: that is not a counter")
                    series[f"{name}|{_series_name(selector.name, labels)}"] = value
            if selector.bound is not None and (problem := _missing_bound(selector, page)):
                return _Problem(problem)
        if not routers and selector.name not in known:
            close = difflib.get_close_matches(selector.name, sorted(known), n=1, cutoff=0.88)
            where = ", ".join(names)
            if close or required:
                hint = f"; did you mean {close[0]}?" if close else ""
                return _Problem(f"there is no metric {selector.name} on {where}{hint}")
        if told_apart and not routers and not series and (problem := _of_no_version(text, selector, names, pages)):
            return _Problem(problem)
        if len(series) > SERIES_MAX:
            return _Problem(f"{selector.name} has {len(series)} series, more than {SERIES_MAX}: take out a label")
        return series


def _of_no_version(text: str, selector: Selector, names: tuple[str, ...], pages: Mapping[str, Page]) -> str:
    """Say which series there are of that name where none is of this version; empty where only other labels differ.

    Those come with time: a path that nobody has asked for yet, beside /healthz that somebody has.
    """
    ours = [
        matcher
        for written, matcher in zip(parse(text).matchers, selector.matchers, strict=True)
        if "version" in template_names(written.value)
    ]
    others = [labels for name in names for labels, _ in pages[name].series(selector.name)]
    if not ours or not others or any(all(matcher.accepts(labels) for matcher in ours) for labels in others):
        return ""
    wanted = {matcher.label for matcher in selector.matchers}
    shown = ", ".join(f'{label}="{value}"' for label, value in sorted(others[0].items()) if label in wanted)
    return f"{', '.join(names)} has {selector.name}, but only with {shown or 'other labels'}"


def _missing_bound(selector: Selector, page: Page) -> str:
    """Say which bucket bounds there are, where the one asked for is not among them."""
    bounds = {
        labels.get("le", "") for labels, _ in page.series(selector.name) if selector.accepts(labels, any_bound=True)
    }
    if not bounds or any(selector.accepts_bound(bound) for bound in bounds):
        return ""
    shown = ", ".join(sorted(bounds, key=_as_number)[:BOUNDS_TOLD_MAX])
    return f"{selector.name} has no bucket at {selector.bound}; its bounds are {shown}"


def _as_number(bound: str) -> tuple[float, str]:
    """Return what bounds are sorted by; whoever exposes them may have written one that is no number."""
    try:
        return float(bound), bound
    except ValueError:
        return math.inf, bound


def _birth(page: Page) -> float | None:
    """Return when a page's process started, where it says so."""
    try:
        return next((value for _, value in page.series(_BIRTH) if math.isfinite(value)), None)
    except Unreadable:
        return None


def _series_name(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"
