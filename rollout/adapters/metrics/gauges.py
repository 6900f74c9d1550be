"""A gauge of a version, summed over its series: read from Prometheus, or from the agents' own pages."""

from __future__ import annotations

import math
from collections.abc import Callable

from rollout.adapters.http import Pages
from rollout.adapters.metrics.page import Unreadable, read_page
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.selector import parse
from rollout.errors import PageUnavailable

Fill = Callable[[str, str], str]
"""A selector with its template filled in, for a version."""


def from_prometheus(client: Callable[[], PrometheusClient], selector: str, fill: Fill) -> Callable[[str], int]:
    """Return how a gauge of a version is read. No series is not 0: nothing is known then."""

    def read(version: str) -> int:
        text = fill(selector, version)
        answer = client().query(text)
        if answer.problem:
            raise PageUnavailable(answer.problem)
        if not answer.samples:
            raise PageUnavailable(f"there is no series {text}, which is not the same as 0")
        return _whole(sum(sample.value for sample in answer.samples), text)

    return read


def from_pages(
    pages: Pages, pages_of: Callable[[str], tuple[str, ...]], selector: str, fill: Fill, timeout_s: float
) -> Callable[[str], int]:
    """The same, from the pages of each version."""

    def read(version: str) -> int:
        text = fill(selector, version)
        wanted, values = parse(text), []
        for url in pages_of(version):
            try:
                series = read_page(pages.get(url, timeout_s), url).series(wanted.name)
            except Unreadable as error:
                raise PageUnavailable(f"{error} on {url}") from error
            mine = [value for labels, value in series if wanted.accepts(labels)]
            if not mine:
                raise PageUnavailable(f"{url} has no series {text}, which is not the same as 0")
            values += mine
        if not values:
            raise PageUnavailable(f"{version} has no metrics page")
        return _whole(sum(values), text)

    return read


def _whole(value: float, text: str) -> int:
    if not math.isfinite(value) or value < 0:
        raise PageUnavailable(f"{text} has the value {value}, which is no number of conversations")
    return math.ceil(value)
