"""From KPIs to the counters that a source reads: presets filled in, or a fault for each that cannot be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from string import Template
from typing import Literal

from rollout.adapters.metrics import selector
from rollout.adapters.metrics.presets import PRESETS, ROUTER_PREFIX
from rollout.errors import Fault
from rollout.model.api.kpi import Kpi
from rollout.model.api.policy import PolicySpec
from rollout.model.units import duration_s, expand, template_names


@dataclass(frozen=True, slots=True)
class Query:
    """One KPI as a source reads it: selectors with `$name`, `$version` and `$namespace` still open.

    Attributes:
        preset: the family of the preset that it is of, such as `gateway`; empty for selectors of people's own.
        is_share: whether `counted` are some of the `total` outcomes; not so for a sum of sizes, or answers per task.
    """

    name: str
    counted: str
    total: str
    good: bool
    among: str | None = None
    preset: str = ""
    is_share: bool = True


def resolve(kpis: Iterable[Kpi]) -> tuple[tuple[Query, ...], list[Fault]]:
    """Return the queries of all KPIs, and a fault for each that cannot be one."""
    queries, faults = [], []
    for index, kpi in enumerate(kpis):
        resolved = _resolve(kpi, f"kpis[{index}]")
        if isinstance(resolved, Query):
            queries.append(resolved)
            faults += _unreadable(resolved, f"kpis[{index}]")
        else:
            faults += resolved
    return tuple(queries), faults


def unreadable(policy: PolicySpec, place: Literal["machine", "cluster", ""] = "") -> list[Fault]:
    """Return a fault for each counter of a policy that no source could read.

    Args:
        place: where it would be, if known.
    """
    queries, faults = resolve(policy.kpis)
    if not faults:
        faults += [fault for index, kpi in enumerate(policy.kpis) for fault in _misplaced(kpi, index, place)]
    given = {query.name for query in queries if query.among}
    for index, kpi in enumerate(policy.kpis):
        if policy.blue_green is not None and kpi.name in given and not kpi.advisory:
            message = "after a switch nobody can tell whether both versions' users respond equally often"
            faults.append(Fault(f"kpis[{index}]", message, "mark it advisory: true, or release by canary", kpi.name))
    if policy.spend_cap is not None:
        counter = policy.spend_cap.counter
        try:
            selector.parse(expand(counter, name="name", version="v1", namespace="default"))
        except ValueError as error:
            faults.append(Fault("spendCap.counter", str(error), "see docs/kpis.md", counter))
    return faults


_TELLING = frozenset({"version", "service", "subset", "cluster"})
"""What tells versions apart in a selector."""
_EXAMPLE = {
    "name": "name", "version": "v1", "namespace": "default", "service": "name-v1", "subset": "v1",
    "ofSubset": "", "cluster": "name-v1",
}  # fmt: skip
"""What selectors are filled in with to see whether they can be read."""


def unreadable_split(requests: str | None) -> list[Fault]:
    """Return what is wrong with the counter that the split is measured by; nothing where none is declared."""
    if requests is None:
        return []
    path = "metrics.prometheus.requests"
    try:
        selector.parse(expand(requests, **_EXAMPLE))
    except ValueError as error:
        return [Fault(path, str(error), "see docs/kpis.md", requests)]
    if not _TELLING & template_names(requests):
        return [Fault(path, "counts both versions together", "add a label with $version or $service", requests)]
    return []


def _misplaced(kpi: Kpi, index: int, place: str) -> Iterable[Fault]:
    """A preset that reads what only another place has."""
    preset = PRESETS.get(kpi.preset or "")
    if preset is not None and place and preset.place not in ("", place):
        fitting = [name for name, family in PRESETS.items() if family.place == place]
        where = "in a cluster" if place == "cluster" else "on one machine"
        message = f"reads what there is not {where}"
        yield Fault(f"kpis[{index}].preset", message, f"use one of {', '.join(fitting)}", kpi.preset)


def _resolve(kpi: Kpi, path: str) -> Query | list[Fault]:
    if kpi.preset is None:
        counted = kpi.bad or kpi.good or kpi.sum or ""
        good, is_share = kpi.good is not None, kpi.sum is None
        return Query(kpi.name, counted, kpi.total or "", good=good, among=kpi.among, is_share=is_share)
    preset = PRESETS.get(kpi.preset)
    if preset is None:
        close = difflib.get_close_matches(kpi.preset, PRESETS, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"use one of {', '.join(PRESETS)}"
        return [Fault(f"{path}.preset", "is not a preset", remedy, kpi.preset)]
    filled: dict[str, str] = {}
    faults: list[Fault] = []
    for name in preset.durations_ms:
        try:
            milliseconds = duration_s(kpi.with_.get(name)) * 1000
        except ValueError:
            remedy = f"with: {{{name}: 2500ms}}"
            faults.append(Fault(f"{path}.with.{name}", f"{kpi.preset} needs a duration", remedy, kpi.with_.get(name)))
            continue
        filled[name] = f"{milliseconds / 1000:g}" if preset.seconds else f"{milliseconds:g}"
        is_usual = "histogram" not in kpi.with_  # another histogram has other bounds
        if is_usual and preset.bounds_ms and milliseconds not in preset.bounds_ms:
            below = [bound for bound in preset.bounds_ms if bound < milliseconds][-1:]
            near = below + [bound for bound in preset.bounds_ms if bound > milliseconds][:1]
            remedy = f"use {' or '.join(f'{bound:g}ms' for bound in near)}"
            faults.append(Fault(f"{path}.with.{name}", "is none of the router's buckets", remedy, kpi.with_[name]))
    for name in preset.numbers:
        if (number := _number(kpi.with_.get(name))) is None:
            remedy = f'with: {{{name}: "8000"}}, one of the bounds of the agents\' histogram'
            faults.append(Fault(f"{path}.with.{name}", f"{kpi.preset} needs a number", remedy, kpi.with_.get(name)))
        else:
            filled[name] = number
    for name, usual in preset.names.items():
        filled[name] = kpi.with_.get(name, usual)
        if not _NAME.match(filled[name]):
            remedy = f"name a metric or a label, such as {usual}"
            faults.append(Fault(f"{path}.with.{name}", "is not the name of a metric or a label", remedy, filled[name]))
    for name in sorted(kpi.with_.keys() - {*preset.durations_ms, *preset.numbers, *preset.names}):
        takes = ", ".join((*preset.durations_ms, *preset.numbers, *preset.names)) or "nothing"
        faults.append(Fault(f"{path}.with.{name}", f"{kpi.preset} does not take it", f"it takes {takes}"))
    if faults:
        return faults
    counted, total = (Template(text).safe_substitute(filled) for text in (preset.counted, preset.total))
    among = Template(preset.among).safe_substitute(filled) if preset.among else None
    family = kpi.preset.partition("/")[0]
    return Query(kpi.name, counted, total, good=preset.good, among=among, preset=family)


_NAME = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")


def _number(text: str | None) -> str | None:
    """Return a positive number as a bucket bound is written; None for anything else."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return f"{number:g}" if 0 < number < float("inf") else None


def _unreadable(query: Query, path: str) -> list[Fault]:
    faults = []
    texts = [("good" if query.good else "bad", query.counted), ("total", query.total)]
    for key, text in [*texts, ("among", query.among)] if query.among else texts:
        try:
            parsed = selector.parse(expand(text, **_EXAMPLE))
        except ValueError as error:
            faults.append(Fault(f"{path}.{key}", str(error), "see docs/kpis.md", text))
            continue
        if parsed.name.startswith(ROUTER_PREFIX) and not _TELLING & template_names(text):
            remedy = 'add a label with $version, such as envoy_cluster_name="$name/$version"'
            faults.append(Fault(f"{path}.{key}", "counts both versions together on the router's page", remedy, text))
    return faults
