"""From raw counters to increments: per series, resets handled per series, summed after differencing.

A series first seen after the first round counts from 0, because it was born since. A value that fell means the process
began anew: its whole value is new. Where a page tells when its process started, a restart is seen even if the new
value has already overtaken the old one. No extrapolation anywhere: increments are the outcomes that happened.
"""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine.facts import Reading, Round
from rollout.model.evidence import Ledger
from rollout.stats import Look

SERIES_KEPT = 1000
"""So many last values are kept for one KPI; beyond, those of series that have vanished are forgotten."""

BIRTH_SLACK_S = 0.5
"""Start times that differ by less are one and the same process."""

REQUESTS = "(requests)"
"""The ledger's name for the counter that the split is measured by."""


def take(ledger: Ledger, round_: Round) -> tuple[Ledger, dict[str, Look]]:
    """Return the ledger after one round and the increments by KPI (and `REQUESTS`).

    A KPI that could not be read, or that is read for the first time, has no increments: what happened meanwhile is
    counted by the next good round, for both versions over the same time.
    """
    reborn = {page for page, birth in round_.births.items() if birth > ledger.births.get(page, birth) + BIRTH_SLACK_S}
    values = {
        kpi: {series: 0.0 if _page(series) in reborn else value for series, value in known.items()}
        for kpi, known in ledger.values.items()
    }
    looks: dict[str, Look] = {}
    for name, reading in {**round_.kpis, REQUESTS: round_.requests}.items():
        if reading.problem:
            continue
        known = values.get(name)
        if known is not None:
            looks[name] = _look(known, reading)
        current = _flatten(reading)
        kept = {**(known or {}), **current}
        values[name] = kept if len(kept) <= SERIES_KEPT else current
    return Ledger(values=values, births={**ledger.births, **round_.births}), looks


def _flatten(reading: Reading) -> dict[str, float]:
    return {
        f"{arm}:{series}": value
        for arm, found in (
            ("candidate bad", reading.candidate.bad),
            ("candidate all", reading.candidate.total),
            ("stable bad", reading.stable.bad),
            ("stable all", reading.stable.total),
        )
        for series, value in found.items()
    }


def _look(known: Mapping[str, float], reading: Reading) -> Look:
    bad_c = _increments(known, "candidate bad", reading.candidate.bad)
    all_c = _increments(known, "candidate all", reading.candidate.total)
    bad_s = _increments(known, "stable bad", reading.stable.bad)
    all_s = _increments(known, "stable all", reading.stable.total)
    if reading.good:
        bad_c, bad_s = max(0.0, all_c - bad_c), max(0.0, all_s - bad_s)
    return Look(bad_c, all_c, bad_s, all_s)


def _increments(known: Mapping[str, float], arm: str, found: Mapping[str, float]) -> float:
    total = 0.0
    for series, value in found.items():
        last = known.get(f"{arm}:{series}", 0.0)
        total += value if value < last else value - last
    return total


def _page(entry: str) -> str:
    """Return the page that a ledger's entry was read from: ``candidate bad:PAGE|series``."""
    return entry.partition(":")[2].partition("|")[0]
