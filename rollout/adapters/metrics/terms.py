"""The terms of one PromQL query, and what Prometheus answered to each: whose series, how old, what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.ownership import foreign_problem, gateway_problem
from rollout.adapters.metrics.presets import ROUTERS
from rollout.adapters.metrics.prometheus_client import Sample
from rollout.adapters.metrics.scrape import SERIES_MAX
from rollout.adapters.metrics.selected import Selected, SeriesOf
from rollout.adapters.metrics.selector import parse


@dataclass(frozen=True, slots=True)
class Term:
    """One selector of a round.

    Attributes:
        template: the selector with `$version` and the like still open.
        version: whose it is.
        preset: the family of presets that it is of, if it is of one.
    """

    text: str
    template: str
    version: str
    preset: str


@dataclass
class Terms:
    """The distinct selectors of a round."""

    by_text: dict[str, Term] = field(default_factory=dict)

    def add(self, text: str, template: str, version: str, preset: str) -> None:
        self.by_text.setdefault(text, Term(text, template, version, preset))


class Answered:
    """An answer, term by term, without the series of others.

    Args:
        pods: what is behind each version's Service; None: whatever is selected counts.
    """

    def __init__(self, terms: Terms, selected: Selected, stale_after_s: float, pods: Mapping[str, Pods] | None) -> None:
        self._terms, self._selected, self._stale_after_s, self._pods = terms, selected, stale_after_s, pods
        self._series: dict[str, dict[str, float]] = {}
        self._problems: dict[str, str] = {}
        self._absent: dict[str, str] = {}
        self._age_s: dict[str, float] = {}
        self._newest: dict[str, float] = {}
        for text, term in terms.by_text.items():
            if (series := selected.series.get(text)) is not None:
                self._take(term, series)

    def _take(self, term: Term, of_term: SeriesOf) -> None:
        problem, ours = self._of_ours(term, of_term)
        if problem:
            self._problems[term.text] = problem
            return
        if of_term.samples and not ours:
            count = len(of_term.samples)
            self._absent[term.text] = f"{count} series {term.text}, none of a pod behind the version's Service"
        if not ours:
            return
        self._series[term.text] = {sample.series.name: sample.value for sample in ours}
        seen = of_term.scraped(dict.fromkeys(sample.series.process for sample in ours))
        if seen:
            last = max(seen, key=lambda sample: sample.value)
            self._age_s[term.text], self._newest[term.text] = last.at - last.value, last.value

    def _of_ours(self, term: Term, of_term: SeriesOf) -> tuple[str, list[Sample]]:
        """Return why a term's series cannot be used, or an empty text; and those that are the version's."""
        samples = of_term.samples
        if self._pods is None or not samples:
            return "", samples
        pods = self._pods[term.version]
        if term.preset == "gateway":
            label = next(iter(parse(term.text).matchers)).label
            names = (sample.labels.get(label, "") for sample in samples)
            problem, kept = gateway_problem(names, pods.service, pods.namespace)
        elif term.preset in ROUTERS:
            return "", samples  # their selectors name the Service and the namespace
        else:
            is_preset = term.preset != ""
            samples = of_term.near(pods) if is_preset else samples
            problem, kept = foreign_problem(
                term.template, [sample.labels for sample in samples], pods, is_preset=is_preset
            )
        return problem, [] if problem else [sample for sample, mine in zip(samples, kept, strict=True) if mine]

    def _by_version(self, of: Mapping[str, float], best: Callable[[Iterable[float]], float]) -> list[float]:
        """Return the best of each version's terms: one scrape of a version has all of its counters."""
        by_version: dict[str, list[float]] = {}
        for text, term in self._terms.by_text.items():
            if text in of:
                by_version.setdefault(term.version, []).append(of[text])
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
        return self._series.get(text, {})

    def problem(self, text: str, must_exist: bool = False) -> str:
        """Say why a selector's series are not to be used.

        Args:
            must_exist: whether none at all is a fault too.
        """
        if self._selected.problem:
            return self._selected.problem
        series = self.series(text)
        if text in self._problems:
            return self._problems[text]
        if must_exist and not series and text in self._absent:
            return f"there are {self._absent[text]}: compare their labels with its endpoints"
        if must_exist and not series:
            return f"there is no series {text}: is the name right, and do its labels say so?"
        if len(series) > SERIES_MAX:
            return f"{text} has {len(series)} series, more than {SERIES_MAX}: take out a label"
        if any(value < 0 for value in series.values()):
            return f"{text} has a value below 0: that is not a counter"
        if series and self._age_s.get(text, 0.0) > self._stale_after_s:
            return f"{text} was last seen {self._age_s[text]:.0f} s ago: is it still scraped?"
        return ""


BOUND = re.compile(r'\ble="([0-9.eE+-]+)"')


@lru_cache(maxsize=256)
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
    spellings = sorted(spelling.rstrip(".") for spelling in written if float(spelling) == value)
    return (
        f'le=~"{"|".join(spelling.replace(".", "[.]").replace("+", "[+]") for spelling in dict.fromkeys(spellings))}"'
    )
