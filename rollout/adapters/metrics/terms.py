"""The terms of one PromQL query, and what Prometheus answered to each: whose series, how old, what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.owned import Owners, Term
from rollout.adapters.metrics.scrape import SERIES_MAX
from rollout.adapters.metrics.selected import Selected, SeriesOf

_VALUE = attrgetter("value")


@dataclass
class Terms:
    """The distinct selectors of a round. They are kept from one sample to the next.

    Attributes:
        owners: whose their series are.
    """

    by_text: dict[str, Term] = field(default_factory=dict)
    owners: Owners = field(default_factory=Owners)

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
        pods = None if self._pods is None else self._pods[term.version]
        samples = of_term.samples if pods is None or not term.is_any_agents else of_term.near(pods)
        owned = self._terms.owners.of(term, [sample.series for sample in samples], pods)
        text = term.text
        if owned.problem:
            self._problems[text] = owned.problem
            return
        if not owned.places:
            if count := len(of_term.samples):
                self._absent[text] = f"{count} series {text}, none of a pod behind the version's Service"
            return
        self._series[text] = {name: samples[place].value for name, place in zip(owned.names, owned.places, strict=True)}
        seen = of_term.scraped(owned.processes)
        if seen:
            last = max(seen, key=_VALUE)
            self._age_s[text], self._newest[text] = last.at - last.value, last.value

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
        if series and min(series.values()) < 0:
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
