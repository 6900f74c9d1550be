"""KPIs that two metrics pages have to offer, as lines of a policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rollout.adapters.metrics.page import Page, Unreadable
from rollout.adapters.metrics.presets import PRESETS
from rollout.adapters.metrics.queries import resolve
from rollout.adapters.metrics.selector import parse
from rollout.model.api.kpi import Kpi

OFFERS_MAX = 8
_BAD = re.compile(r"fail|error|negative|reject|timeout")
_ALL = re.compile(r"start|request|complete|finish|call|task|run|total")
_PREFIX_MIN = 5
_USUAL_BOUND = 2.5


def offers(pages: Mapping[str, Page]) -> list[str]:
    """Return KPIs that can be counted on both pages, each as one line of YAML.

    Args:
        pages: by version.
    """
    names = frozenset.intersection(*(page.names for page in pages.values())) if pages else frozenset()
    presets = [(name, _counters(name)) for name, preset in PRESETS.items() if preset.place in ("", "machine")]
    fitting = [(name, counters) for name, counters in presets if counters and counters <= names]
    known = {counter for _, counters in fitting for counter in counters}
    label = _version_label(pages)
    pairs = [
        _line(bad.removesuffix("_total"), f"bad: '{bad}{label}', total: '{total}{label}'")
        for bad, total in _pairs(names - known)
    ]
    latencies = [_latency(name.removesuffix("_bucket"), pages, label) for name in sorted(names) if _is_latency(name)]
    ready = [f"- {{name: {name}, preset: {name}, margin: {{relative: 10%, absolute: 1%}}}}" for name, _ in fitting]
    return [line for line in (*ready, *pairs, *latencies) if line][:OFFERS_MAX]


def _counters(preset: str) -> frozenset[str]:
    """Return the names of what a preset counts; none where it needs to be told more."""
    queries, faults = resolve([Kpi(name="any", preset=preset)])
    texts = [text for query in queries for text in (query.counted, query.total)]
    return frozenset() if faults else frozenset(parse(text).name for text in texts)


def _pairs(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield counters of what went wrong with the counter of all that is named most like it."""
    counters = sorted(name for name in names if name.endswith("_total"))
    every = [name for name in counters if not _BAD.search(name) and _ALL.search(name)]
    for bad in filter(_BAD.search, counters):
        shared, nearest = max(((_shared(name, bad), name) for name in every), default=(0, ""))
        if shared >= _PREFIX_MIN:
            yield bad, nearest


def _shared(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _is_latency(name: str) -> bool:
    return name.endswith(("_seconds_bucket", "_milliseconds_bucket", "_ms_bucket"))


def _latency(base: str, pages: Mapping[str, Page], label: str) -> str:
    """Return a KPI over the bound that is nearest to the usual one, and that both pages have."""
    bounds = [_bounds(page, f"{base}_bucket") for page in pages.values()]
    shared = set.intersection(*map(set, bounds)) if bounds else set()
    usual = _USUAL_BOUND * (1 if base.endswith("_seconds") else 1000)
    if not shared:
        return ""
    bound = min(shared, key=lambda text: abs(float(text) - usual))
    inside = f"{label[:-1]}," if label else "{"
    return _line(f"{base}-slow", f"good: '{base}_bucket{inside}le=\"{bound}\"}}', total: '{base}_count{label}'")


def _bounds(page: Page, name: str) -> list[str]:
    try:
        bounds = [labels.get("le", "") for labels, _ in page.series(name)]
    except Unreadable:
        return []
    return [bound for bound in bounds if re.fullmatch(r"[0-9.]+(e[+-]?\d+)?", bound)]


def _version_label(pages: Mapping[str, Page]) -> str:
    """Return the matcher that tells the versions apart, where the pages have such a label."""
    for version, page in pages.items():
        for name in page.lines:
            try:
                if any(labels.get("version") == version for labels, _ in page.series(name)):
                    return '{version="$version"}'
            except Unreadable:
                continue
    return ""


def _line(name: str, counters: str) -> str:
    return f"- {{name: {re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}, {counters}, margin: {{absolute: 2%}}}}"
