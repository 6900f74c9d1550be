"""Rules for KPIs: what can be counted, compared and proved."""

import re
from collections.abc import Iterator
from typing import Any

from rollout.errors import Fault
from rollout.model.units import duration_s, percent_bp
from rollout.model.validation.rules import Raw, exactly_one, items, mapping, number, template

COUNTERS = ("bad", "good", "sum", "total")
MATURES_MAX_S = 7 * 86_400.0
_ALL_BUCKETS = re.compile(r"\s*[a-zA-Z_:][a-zA-Z0-9_:]*_bucket\s*(\{|$)")
_BOUND = re.compile(r"[{,]\s*le\s*(=|!=)")


def kpis(raw: Raw) -> Iterator[Fault]:
    """Every KPI says what it counts and how much worse is too much; names are unique."""
    seen: set[str] = set()
    for index, kpi in enumerate(items(raw.get("kpis"))):
        path, kpi_raw = f"kpis[{index}]", mapping(kpi)
        yield from exactly_one(kpi_raw, path, "kpi")
        name = kpi_raw.get("name")
        if isinstance(name, str) and name in seen:
            yield Fault(f"{path}.name", "is used by another KPI", "give each KPI its own name", name)
        if isinstance(name, str):
            seen.add(name)
        if "margin" not in kpi_raw and "atMost" not in kpi_raw:
            remedy = "add margin (against the stable version), atMost (an absolute bound), or both"
            yield Fault(path, "has neither margin nor atMost, so it cannot show harm", remedy)
        if "preset" not in kpi_raw and "total" not in kpi_raw:
            yield Fault(f"{path}.total", "is missing", "name the counter of all outcomes, good and bad")
        for key in (*COUNTERS, "among"):
            if "preset" in kpi_raw and key in kpi_raw:
                yield Fault(f"{path}.{key}", "is set by the preset already", "remove it, or remove the preset")
            yield from template(kpi_raw.get(key), f"{path}.{key}")
            yield from _bucket(kpi_raw.get(key), f"{path}.{key}")
        if "preset" not in kpi_raw and "with" in kpi_raw:
            yield Fault(f"{path}.with", "fills in a preset, and there is none", "remove it, or name a preset")
        yield from _margins(kpi_raw, path)
        yield from _mean(kpi_raw, path)
        matures = number(duration_s, kpi_raw.get("matures"))
        if matures is not None and matures > MATURES_MAX_S:
            yield Fault(f"{path}.matures", "is longer than 7 days", "count an earlier sign", kpi_raw["matures"])


def _bucket(selector: Any, path: str) -> Iterator[Fault]:
    """Of a histogram's buckets one bound is meant: all of them count an outcome once for every bound above it."""
    if isinstance(selector, str) and _ALL_BUCKETS.match(selector) and not _BOUND.search(selector):
        message = "counts all buckets of a histogram, each outcome many times"
        yield Fault(path, message, 'name one bound, such as le="2.5"', selector)


def _mean(kpi: Raw, path: str) -> Iterator[Fault]:
    """A mean has a ratio as its margin and nothing else."""
    if "sum" not in kpi:
        return
    for key in ("margin", "promotionMargin"):
        margin = mapping(kpi.get(key))
        if margin and ("relative" not in margin or len(margin) > 1):
            remedy = "give relative alone, such as {relative: 10%}"
            yield Fault(f"{path}.{key}", "a mean of sums is compared by its ratio only", remedy, margin)
    for key, why in (("atMost", "is for rates"), ("among", "is for outcomes that people give")):
        if key in kpi:
            yield Fault(f"{path}.{key}", f"{why}, not for a mean of sums", "remove it", kpi[key])


def _margins(kpi: Raw, path: str) -> Iterator[Fault]:
    for key in ("margin", "promotionMargin"):
        margin = mapping(kpi.get(key))
        if "odds" in margin and ({"relative", "absolute"} & margin.keys()):
            remedy = "keep odds (for rates above 20 %), or relative and absolute"
            yield Fault(f"{path}.{key}", "mixes an odds ratio with a margin between rates", remedy)
        if key in kpi and not margin:
            yield Fault(f"{path}.{key}", "says nothing", "give relative, absolute or odds", kpi[key])
    harm, proof = mapping(kpi.get("margin")), mapping(kpi.get("promotionMargin"))
    if harm and proof:
        if ("odds" in harm) != ("odds" in proof):
            yield Fault(f"{path}.promotionMargin", "is of another kind than margin", "use odds in both or in neither")
        for part in ("relative", "absolute", "odds"):
            least, given = (number(percent_bp, side.get(part, "0%")) for side in (harm, proof))
            if least is not None and given is not None and given < least:
                remedy = "make it at least as wide: what is not worse must be provable"
                yield Fault(f"{path}.promotionMargin.{part}", "is narrower than margin", remedy, proof.get(part, "0%"))
    elif proof:
        yield Fault(f"{path}.promotionMargin", "widens a margin that is not there", "add margin")
