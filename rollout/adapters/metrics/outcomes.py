"""Outcomes that are counted must be among all of them."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine.facts import Counters

SLACK = 1.0
"""One that is under way may be counted as bad before it is counted at all."""


def more_than_all(arm: Counters, counted: str, total: str) -> str:
    """Say in which process more outcomes are good, or bad, than there are; empty where that is nowhere so.

    Process by process: each begins at 0 with all its counters, so that a restart is no contradiction.
    """
    some, every = _by_process(arm.bad), _by_process(arm.total)
    for process in sorted(some.keys() & every.keys()):
        if some[process] > every[process] + SLACK:
            message = f"{counted} counts {some[process]:g} outcomes, and {total} only {every[process]:g}"
            return f"{message}: the one must be some of the other; a histogram's bucket needs its bound, le"
    return ""


def _by_process(series: Mapping[str, float]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name, value in series.items():
        process = name.partition("|")[0]
        sums[process] = sums.get(process, 0.0) + value
    return sums
