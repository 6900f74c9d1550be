"""What a controller cost within a window of time, as one row of a table."""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import Process

HEADER = "rollouts  active  ready s  seen s  CPU-s/min  ms/sample  samples  calls/min  queries/min  RSS MB   calls a minute, by kind"


@dataclass(frozen=True)
class Costs:
    """The costs of a window.

    Attributes:
        samples: those that were taken.
        calls: of the API, by kind; watches are none.
        queries: of Prometheus.
    """

    cpu_s: float
    minutes: float
    samples: float
    calls: collections.Counter[str]
    queries: float
    rss_mb: float

    def row(self, size: int, active: int, ready_s: float, seen_s: float, sample_every_s: float = 10.0) -> str:
        """Return the row; samples are a share of those that are due."""
        wanted = active * self.minutes * 60 / sample_every_s
        each = f"{1000 * self.cpu_s / self.samples:.1f}" if self.samples else "-"
        share = f"{self.samples / wanted:.0%}" if wanted else "-"
        kinds = ", ".join(f"{count / self.minutes:.0f} {what}" for what, count in self.calls.most_common(6))
        return (
            f"{size:>8}  {active:>6}  {ready_s:>7.1f}  {seen_s:>6.1f}  {self.cpu_s / self.minutes:>9.2f}  {each:>9}  {share:>7}"
            f"  {self.calls.total() / self.minutes:>9.0f}  {self.queries / self.minutes:>11.0f}  {self.rss_mb:>6.0f}   {kinds}"
        )


def measured(
    process: Process,
    lasts_s: float,
    calls_since: Callable[[float], collections.Counter[str]],
    queries: Callable[[], float],
) -> Costs:
    """Wait, and return what a controller cost meanwhile.

    Args:
        calls_since: returns the calls since a time (unix seconds).
        queries: returns how many queries there were ever.
    """
    since, began = time.time(), time.monotonic()
    cpu_s, samples, asked = process.cpu_s(), process.samples(), queries()
    time.sleep(lasts_s)
    return Costs(
        cpu_s=process.cpu_s() - cpu_s,
        minutes=(time.monotonic() - began) / 60,
        samples=process.samples() - samples,
        calls=calls_since(since),
        queries=queries() - asked,
        rss_mb=process.rss_mb(),
    )


def table(measure: Callable[[int, int, Path], None], sizes: Iterable[str]) -> None:
    """Print a row for each size that was asked for, as ROLLOUTS:ACTIVE, or for those that are usual."""
    print(HEADER)
    for asked in sys.argv[1:] or sizes:
        size, _, active = asked.partition(":")
        with tempfile.TemporaryDirectory() as folder:
            measure(int(size), int(active), Path(folder))
