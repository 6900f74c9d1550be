"""KPIs that most people want, as data. A preset's names in capitals come from the KPI's `with`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from string import Template

from rollout.errors import Fault
from rollout.metrics import selector
from rollout.model.kpi import Kpi
from rollout.model.policy import PolicySpec
from rollout.model.units import duration_s, expand


@dataclass(frozen=True, slots=True)
class Preset:
    """Two selectors, and what must be filled in. good: whether the first counts good outcomes."""

    counted: str
    total: str
    good: bool = False
    durations_ms: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    among: str | None = None
    bounds_ms: tuple[float, ...] = ()
    what: str = ""


ENVOY_BOUNDS_MS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 3e4, 6e4, 3e5, 6e5, 1.8e6, 3.6e6)
"""Envoy's histogram buckets, which are fixed."""

PRESETS: dict[str, Preset] = {
    "envoy/errors": Preset(
        'envoy_cluster_upstream_rq_xx{envoy_cluster_name="$name/$version",envoy_response_code_class="5"}',
        'envoy_cluster_upstream_rq_completed{envoy_cluster_name="$name/$version"}',
        what="answers 5xx and refused connections, as the router saw them",
    ),
    "envoy/slow-requests": Preset(
        'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="$name/$version",le="$slowerThan"}',
        'envoy_cluster_upstream_rq_time_count{envoy_cluster_name="$name/$version"}',
        good=True,
        durations_ms=("slowerThan",),
        bounds_ms=ENVOY_BOUNDS_MS,
        what="requests slower than a bucket bound, as the router saw them",
    ),
    "agent-tasks": Preset(
        'agent_tasks_failed_total{version="$version"}',
        'agent_tasks_started_total{version="$version"}',
        what="failed tasks over started ones, as the agent counts them",
    ),
    "agent-tokens": Preset(
        'agent_task_tokens_bucket{version="$version",le="$moreThan"}',
        'agent_task_tokens_count{version="$version"}',
        good=True,
        numbers=("moreThan",),
        what="tasks that took more tokens than a bucket bound",
    ),
    "agent-cost": Preset(
        'agent_task_cost_dollars_bucket{version="$version",le="$moreThan"}',
        'agent_task_cost_dollars_count{version="$version"}',
        good=True,
        numbers=("moreThan",),
        what="tasks that cost more than a bucket bound",
    ),
    "agent-feedback": Preset(
        'agent_feedback_negative_total{version="$version"}',
        'agent_feedback_total{version="$version"}',
        among='agent_tasks_started_total{version="$version"}',
        what="complaints among the feedback that users gave; both versions' users must give it equally often",
    ),
}

REQUESTS = 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="$name/$version"}'
"""What the split is measured by: requests as the router counts them."""

ROUTER_PREFIX = "envoy_"
"""Metrics named so are read from the router's page, all others from the agents' own."""


@dataclass(frozen=True, slots=True)
class Query:
    """One KPI as a source reads it: selectors with `$name`, `$version` and `$namespace` still open."""

    name: str
    counted: str
    total: str
    good: bool
    among: str | None = None


def resolve(kpis: Iterable[Kpi]) -> tuple[tuple[Query, ...], list[Fault]]:
    """Return the queries of all KPIs, and a fault for each that cannot be one."""
    queries, faults = [], []
    for index, kpi in enumerate(kpis):
        found = _resolve(kpi, f"kpis[{index}]")
        if isinstance(found, Query):
            queries.append(found)
            faults += _unreadable(found, f"kpis[{index}]")
        else:
            faults += found
    return tuple(queries), faults


def unreadable(policy: PolicySpec) -> list[Fault]:
    """Return a fault for each counter of a policy that no source could read."""
    queries, faults = resolve(policy.kpis)
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


def _resolve(kpi: Kpi, path: str) -> Query | list[Fault]:
    if kpi.preset is None:
        counted = kpi.bad or kpi.good or kpi.sum or ""
        return Query(kpi.name, counted, kpi.total or "", good=kpi.good is not None, among=kpi.among)
    preset = PRESETS.get(kpi.preset)
    if preset is None:
        close = difflib.get_close_matches(kpi.preset, PRESETS, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"use one of {', '.join(PRESETS)}"
        return [Fault(f"{path}.preset", "is no preset", remedy, kpi.preset)]
    filled, faults = {}, []
    for name in preset.durations_ms:
        try:
            milliseconds = duration_s(kpi.with_.get(name)) * 1000
        except ValueError:
            remedy = f"with: {{{name}: 2500ms}}"
            faults.append(Fault(f"{path}.with.{name}", f"{kpi.preset} needs a duration", remedy, kpi.with_.get(name)))
            continue
        filled[name] = f"{milliseconds:g}"
        if preset.bounds_ms and milliseconds not in preset.bounds_ms:
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
    for name in sorted(kpi.with_.keys() - {*preset.durations_ms, *preset.numbers}):
        takes = ", ".join((*preset.durations_ms, *preset.numbers)) or "nothing"
        faults.append(Fault(f"{path}.with.{name}", f"{kpi.preset} does not take it", f"it takes {takes}"))
    if faults:
        return faults
    counted = Template(preset.counted).safe_substitute(filled)
    return Query(kpi.name, counted, preset.total, good=preset.good, among=preset.among)


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
            found = selector.parse(expand(text, name="name", version="v1", namespace="default"))
        except ValueError as error:
            faults.append(Fault(f"{path}.{key}", str(error), "see docs/kpis.md", text))
            continue
        if found.name.startswith(ROUTER_PREFIX) and "$version" not in text:
            remedy = 'add a label with $version, such as envoy_cluster_name="$name/$version"'
            faults.append(Fault(f"{path}.{key}", "counts both versions together on the router's page", remedy, text))
    return faults
