"""A metrics page, in Prometheus' text form or OpenMetrics: each line is looked at, and only those asked for are parsed.

A line that nobody here can read (a native histogram, something newer) is passed over: it costs its own metric, never
the page. Parsing the lines themselves is left to `prometheus_client`; for all lines of a large page it would take 25 µs
each, on every sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LINES_MAX = 400_000

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_VALUE = r"[+-]?(?:[0-9.]|[iI]nf|[nN]a[nN])"
_SAMPLE = re.compile(
    rf"[ \t]*(?:({_NAME})[ \t]*(?:\{{.*\}})?[ \t]*{_VALUE}|\{{[ \t]*\"((?:[^\"\\]|\\.)*)\"[ \t]*[,}}])"
)
_HISTOGRAM = re.compile(rf"[ \t]*({_NAME})[ \t]*\{{[ \t]*count:")
"""A native histogram in text: its name counts as declared."""

_TYPE = re.compile(rf"#[ \t]*TYPE[ \t]+(?:({_NAME})|\"((?:[^\"\\]|\\.)*)\")[ \t]+([a-z]+)")

Series = tuple[Mapping[str, str], float]
"""One series: its labels and its value."""


class Unreadable(Exception):  # noqa: N818  an answer: the lines that were asked for cannot be used
    """A line of a metric cannot be parsed; the text says which metric."""


@dataclass(frozen=True)
class Page:
    """One page as read, or what is wrong with it.

    Attributes:
        lines: the lines with samples, by the name of the metric.
        types: the declared type of each family.
    """

    lines: Mapping[str, list[str]] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every name of a sample that is there, or is declared and will be."""
        return frozenset({*self.lines, *(name for family, kind in self.types.items() for name in _names(family, kind))})

    def series(self, name: str) -> list[Series]:
        """Return the series of a metric. Raises Unreadable."""
        lines = self.lines.get(name) or self.lines.get(self._other_name(name)) or []
        return [_parsed(name, line) for line in lines]

    def _other_name(self, name: str) -> str:
        """Return the other name of a counter: with `_total` or without, as whoever exposes it sees fit."""
        base = name.removesuffix("_total")
        other = base if base != name else f"{name}_total"
        return other if "counter" in (self.types.get(base), self.types.get(other)) else ""


def read_page(text: str, url: str) -> Page:
    """Read a metrics page; a page that is something else says so in its `problem`."""
    lines: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n")):
        if number > LINES_MAX:
            return Page(problem=f"{url} has more than {LINES_MAX} lines: take out labels")
        if line.startswith("#"):
            if declared := _TYPE.match(line):
                types[declared.group(1) or declared.group(2)] = declared.group(3)
        elif sample := _SAMPLE.match(line):
            lines.setdefault(sample.group(1) or sample.group(2), []).append(line)
        elif native := _HISTOGRAM.match(line):
            types.setdefault(native.group(1), "histogram")
    if not lines and not types:
        what = "is not a metrics page" if text.strip() else "is empty: it is not a metrics page"
        return Page(problem=f"{url} {what}")
    return Page(lines, types)


def _parsed(name: str, line: str) -> Series:
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415  60 ms at start

    try:
        (sample,) = (sample for family in text_string_to_metric_families(line) for sample in family.samples)
    except (ValueError, IndexError, KeyError) as error:
        raise Unreadable(f"a line of {name} cannot be read") from error
    return sample.labels, float(sample.value)


def _names(family: str, kind: str) -> Iterable[str]:
    """Return the names of samples that a family declares, also when it has no sample yet."""
    if kind == "counter":
        return family, f"{family.removesuffix('_total')}_total", family.removesuffix("_total")
    if kind == "histogram":
        return f"{family}_bucket", f"{family}_count", f"{family}_sum"
    return (family,)
