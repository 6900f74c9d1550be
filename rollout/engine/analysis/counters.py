"""From raw counters to increments: per series, resets handled per series, summed after differencing.

A series first seen after the first round counts from 0, because it was born since. A value that fell means the process
began anew: its whole value is new. Where a page tells when its process started, a restart is seen even if the new
value has already overtaken the old one. No extrapolation anywhere: increments are the outcomes that happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from rollout.engine.facts import Counters, KpiReading, Round
from rollout.model.status.evidence import Ledger
from rollout.stats import Increment

SERIES_KEPT = 1000
"""So many last values are kept for one KPI; beyond, those of series that have vanished are forgotten."""

BIRTH_SLACK_S = 0.5
"""Start times that differ by less are one and the same process."""

REQUESTS = "(requests)"
"""The ledger's name for the counter that the split is measured by."""

UNPINNED = "(unpinned)"
"""The ledger's name for the counter of turns that came without their pin."""

SPEND = "(spend)"
"""The ledger's name for the counter of what the candidate costs."""


def responses_of(kpi: str) -> str:
    """Return the ledger's name for the outcomes given among those that could have been."""
    return f"{kpi} (responses)"


@dataclass(frozen=True, slots=True)
class TimedIncrement:
    """What happened between two readings of one KPI.

    Attributes:
        since: when the first of them was taken.
    """

    increment: Increment
    since: datetime


def take(ledger: Ledger, round_: Round, now: datetime) -> tuple[Ledger, dict[str, TimedIncrement]]:
    """Return the ledger after one round and the increments by KPI (and `REQUESTS`).

    A KPI that could not be read, or that is read for the first time, has no increment: what happened meanwhile is
    counted by the next good round, for both versions over the same time. A page that joins later (a new instance) is
    where its counting begins: what it did before is not this rollout's.
    """
    reborn = {page for page, birth in round_.births.items() if birth > ledger.births.get(page, birth) + BIRTH_SLACK_S}
    joined = set(round_.pages) - set(ledger.pages) if ledger.pages else set()
    values = dict(ledger.values)
    if reborn:
        values = {
            kpi: {series: 0.0 if _page(series) in reborn else value for series, value in known.items()}
            for kpi, known in values.items()
        }
    read_at, increments = dict(ledger.read_at), {}
    doubts: set[str] = set()
    for name, reading in _readings(round_).items():
        if reading.problem:
            continue
        known = values.get(name)
        if round_.lagging and known is not None:
            doubted_before = frozenset(
                doubt.partition("|")[2] for doubt in ledger.doubts if doubt.startswith(f"{name}|")
            )
            reading, doubted = _settled(reading, known, doubted_before)  # noqa: PLW2901  the reading as it counts
            doubts |= {f"{name}|{page}" for page in doubted}
        current = _flatten(reading)
        if known is not None:
            before = known
            if joined:
                before = {series: value for series, value in current.items() if _page(series) in joined} | known
            increments[name] = TimedIncrement(_increment(before, reading), read_at[name])
        kept = {**(known or {}), **current}
        values[name] = kept if len(kept) <= SERIES_KEPT else current
        read_at[name] = min(now, round_.at or now)
    after = Ledger(
        values=values,
        births={**ledger.births, **round_.births},
        pages=tuple(sorted({*ledger.pages, *round_.pages})),
        read_at=read_at,
        doubts=tuple(sorted(doubts)),
        mark=round_.mark,
    )
    return after, increments


def _readings(round_: Round) -> dict[str, KpiReading]:
    """Return every counter of a round by its name in the ledger."""
    readings = {**round_.kpis, REQUESTS: round_.requests}
    readings |= {responses_of(kpi): reading for kpi, reading in round_.responses.items()}
    if round_.spend is not None:
        readings[SPEND] = round_.spend
    if round_.unpinned is not None:
        readings[UNPINNED] = round_.unpinned
    return readings


FELL_FAR = 0.5
"""Where readings may lag, a process whose counters fell below this share of what they were may have begun anew."""


def _settled(
    reading: KpiReading, known: Mapping[str, float], doubted: frozenset[str]
) -> tuple[KpiReading, frozenset[str]]:
    """Return a reading without the steps back that a lagging replica makes, and the pages now in doubt.

    Decided page by page, for one process holds all series of a page. A page that fell a little lags: it is held where
    it was until it has caught up. One that fell far has begun anew, but only if the next reading says so too; until
    then it is held, for a replica may know nothing yet of what is young.
    """
    current = _flatten(reading)
    if all(current.get(entry, 0.0) >= value for entry, value in known.items()):
        return reading, frozenset()
    held: set[str] = set()
    doubts: set[str] = set()
    for page in {_page(entry) for entry in current}:
        now = {entry: value for entry, value in current.items() if _page(entry) == page}
        before = {entry: value for entry, value in known.items() if _page(entry) == page}
        if all(now.get(entry, 0.0) >= value for entry, value in before.items()):
            continue
        if page in doubted:
            continue  # the second reading in a row that says so
        held.add(page)
        if sum(now.values()) < FELL_FAR * sum(before.values()):
            doubts.add(page)

    def hold(arm: str, counters: Counters) -> Counters:
        def by_kind(kind: str, values: Mapping[str, float]) -> dict[str, float]:
            prefix = f"{arm} {kind}:"
            kept = {
                entry.removeprefix(prefix): value
                for entry, value in known.items()
                if entry.startswith(prefix) and _page(entry) in held
            }
            return {**values, **{series: max(value, values.get(series, 0.0)) for series, value in kept.items()}}

        return Counters(bad=by_kind("bad", counters.bad), total=by_kind("all", counters.total))

    settled = replace(reading, stable=hold("stable", reading.stable), candidate=hold("candidate", reading.candidate))
    return settled, frozenset(doubts)


def _flatten(reading: KpiReading) -> dict[str, float]:
    return {
        f"{arm}:{series}": value
        for arm, values in (
            ("candidate bad", reading.candidate.bad),
            ("candidate all", reading.candidate.total),
            ("stable bad", reading.stable.bad),
            ("stable all", reading.stable.total),
        )
        for series, value in values.items()
    }


def _increment(known: Mapping[str, float], reading: KpiReading) -> Increment:
    bad_c, all_c = _arm(known, "candidate", reading.candidate)
    bad_s, all_s = _arm(known, "stable", reading.stable)
    if reading.good:
        bad_c, bad_s = max(0.0, all_c - bad_c), max(0.0, all_s - bad_s)
    return Increment(bad_c, all_c, bad_s, all_s)


def _arm(known: Mapping[str, float], arm: str, counters: Counters) -> tuple[float, float]:
    """Return an arm's bad and total outcomes since the last round.

    One process holds all series of a page, so one that fell means that all of them began anew.
    """
    bad = {f"{arm} bad:{series}": value for series, value in counters.bad.items()}
    total = {f"{arm} all:{series}": value for series, value in counters.total.items()}
    reset = {
        _page(entry) for values in (bad, total) for entry, value in values.items() if value < known.get(entry, 0.0)
    }

    def grown(values: Mapping[str, float]) -> float:
        return sum(
            value - (0.0 if reset and _page(entry) in reset else known.get(entry, 0.0))
            for entry, value in values.items()
        )

    return grown(bad), grown(total)


def _page(entry: str) -> str:
    """Return the page that a ledger's entry was read from: ``candidate bad:PAGE|series``."""
    return entry.partition(":")[2].partition("|")[0]
