"""What a Prometheus has of many selectors at one time: the series of each, and when they were scraped last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.merging import Merged, merged
from rollout.adapters.metrics.ownership import LABELS, hints_to
from rollout.adapters.metrics.prometheus_client import TERM, PrometheusClient, QueryResult, Sample

QUERY_MAX_CHARACTERS = 6000
"""The client writes queries into the URL; proxies take 8 KB."""

NEWEST = "@"
"""Marks what tells when a term's series were scraped."""

FEW = 8
"""So few series are looked through one by one."""


@dataclass
class SeriesOf:
    """The series of one selector.

    Attributes:
        newest: when the newest of each process was scraped, in unix seconds.
    """

    samples: list[Sample] = field(default_factory=list)
    newest: list[Sample] = field(default_factory=list)

    def near(self, pods: Pods) -> list[Sample]:
        """Return the series that may be of these pods, and those that do not say whose they are."""
        if len(self.samples) <= FEW or pods.problem:
            return self.samples
        by_hint = self._by_hint
        places = {place for hint in ("", *hints_to(pods)) for place in by_hint.get(hint, ())}
        return [self.samples[place] for place in sorted(places)]

    def scraped(self, processes: Iterable[tuple[str | None, ...]]) -> list[Sample]:
        """Return when these processes were scraped last; where that is not told, when all were."""
        if len(self.newest) == 1:
            return self.newest
        known = self._by_process
        return [sample for process in processes for sample in known.get(process, ())] or self.newest

    @cached_property
    def _by_hint(self) -> dict[str, list[int]]:
        """The places of series, by what tells whose they are; under an empty text those of which nothing tells."""
        index: dict[str, list[int]] = {}
        for place, sample in enumerate(self.samples):
            for hint in sample.series.hints or ("",):
                index.setdefault(hint, []).append(place)
        return index

    @cached_property
    def _by_process(self) -> dict[tuple[str | None, ...], list[Sample]]:
        index: dict[tuple[str | None, ...], list[Sample]] = {}
        for sample in self.newest:
            index.setdefault(sample.series.process, []).append(sample)
        return index


@dataclass(frozen=True)
class Selected:
    """The series of each selector, or why they are not to be used.

    Attributes:
        is_of_query: whether fewer selectors may fare better.
    """

    series: Mapping[str, SeriesOf]
    problem: str = ""
    is_of_query: bool = False

    @classmethod
    def nothing(cls, answer: QueryResult) -> Selected:
        return cls({}, answer.problem, not (answer.late or answer.of_source))


def select(client: PrometheusClient, texts: Iterable[str], now: Callable[[], float]) -> Selected:
    """Ask for the series of many selectors, all at one time. Never raises.

    Args:
        now: unix seconds.
    """
    groups = {f"t{number}": group for number, group in enumerate(merged(texts))}
    batches = _batches([part for term, group in groups.items() for part in _asked(term, group)])
    at = now() if len(batches) > 1 else None
    series = {text: SeriesOf() for group in groups.values() for text in group.texts.values()}
    for batch in batches:
        answer = client.query(" or ".join(batch), at)
        if answer.problem:
            return Selected.nothing(answer)
        _sort(answer.samples, groups, series)
    return Selected(series)


def _sort(samples: Sequence[Sample], groups: Mapping[str, Merged], series: Mapping[str, SeriesOf]) -> None:
    places = {f"{term}{mark}": (group, mark == NEWEST) for term, group in groups.items() for mark in ("", NEWEST)}
    for sample in samples:
        group, is_newest = places.get(sample.term, (None, False))
        text = None if group is None else group.text_of(sample.series.labels)
        if text is not None:
            (series[text].newest if is_newest else series[text].samples).append(sample)


def _asked(term: str, group: Merged) -> Iterator[str]:
    """Yield what asks for the series of a group, and for the time of the newest sample of each process.

    An instant query would also show a sample that is five minutes old.
    """
    selector = group.selector
    yield f'label_replace({selector},"{TERM}","{term}","","")'
    by = ",".join(dict.fromkeys((*LABELS, *group.labels)))
    yield f'label_replace(max by({by})(timestamp({selector})),"{TERM}","{term}{NEWEST}","","")'


def _batches(parts: Iterable[str]) -> list[list[str]]:
    batches: list[list[str]] = [[]]
    length = 0
    for part in parts:
        if batches[-1] and length + len(part) > QUERY_MAX_CHARACTERS:
            batches.append([])
            length = 0
        batches[-1].append(part)
        length += len(part)
    return batches
