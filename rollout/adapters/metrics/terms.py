"""The terms of one PromQL query, and what Prometheus answered to each: whose series, how old, what is wrong."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.ownership import LABELS, foreign_problem, gateway_problem
from rollout.adapters.metrics.presets import ROUTERS
from rollout.adapters.metrics.prometheus_client import QueryResult, Sample
from rollout.adapters.metrics.scrape import SERIES_MAX
from rollout.adapters.metrics.selector import parse

LABEL = "rollout_term"


_PROCESS = ("job", "namespace", "pod", "instance")
"""What tells one process from another: its counters begin anew together."""


@dataclass(frozen=True, slots=True)
class Term:
    """One selector of a round.

    Attributes:
        id: by which its series are known in the answer.
        template: the selector with `$version` and the like still open.
        version: whose it is.
        preset: the family of presets that it is of, if it is of one.
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
class Terms:
    """The distinct selectors of a round."""

    by_text: dict[str, Term] = field(default_factory=dict)

    def add(self, text: str, template: str, version: str, preset: str) -> None:
        self.by_text.setdefault(text, Term(f"t{len(self.by_text)}", text, template, version, preset))


class Answered:
    """An answer, term by term, without the series of others.

    Args:
        owners: who knows what is behind a version's Service.
    """

    def __init__(
        self, terms: Terms, answer: QueryResult, stale_after_s: float, owners: Callable[[str], Pods] | None
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
        if term.preset == "gateway":
            label = next(iter(parse(term.text).matchers)).label
            return gateway_problem((sample.labels.get(label, "") for sample in samples), pods.service, pods.namespace)
        if term.preset in ROUTERS:
            return "", [True] * len(samples)  # their selectors name the Service and the namespace
        labels = [sample.labels for sample in samples]
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
        """Say why a selector's series are not to be used.

        Args:
            must_exist: whether none at all is a fault too.
        """
        if self._answer.problem:
            return self._answer.problem
        series, id_ = self.series(text), self._terms.by_text[text].id
        if id_ in self._problems:
            return self._problems[id_]
        if must_exist and not series and id_ in self._absent:
            return f"there are {self._absent[id_]}: compare their labels with its endpoints"
        if must_exist and not series:
            return f"there is no series {text}: is the name right, and do its labels say so?"
        if len(series) > SERIES_MAX:
            return f"{text} has {len(series)} series, more than {SERIES_MAX}: take out a label"
        if any(value < 0 for value in series.values()):
            return f"{text} has a value below 0: that is not a counter"
        if series and self._age_s.get(id_, 0.0) > self._stale_after_s:
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
    spellings = sorted(spelling.rstrip(".") for spelling in written if float(spelling) == value)
    return (
        f'le=~"{"|".join(spelling.replace(".", "[.]").replace("+", "[+]") for spelling in dict.fromkeys(spellings))}"'
    )


def _name(sample: Sample) -> str:
    """Return a short name of a series, its process first: whole label sets would not fit into a status."""
    labels = {label: value for label, value in sample.labels.items() if label != LABEL}
    process = "\0".join(labels.get(label, "") for label in _PROCESS)
    return f"{_digest(process)}|{_digest(repr(sorted(labels.items())))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
