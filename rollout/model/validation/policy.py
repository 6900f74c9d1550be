"""Rules across the fields of a policy."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rollout.errors import Fault
from rollout.model.base import FORMER_NAMES
from rollout.model.units import duration_s, percent_bp
from rollout.model.validation.gates import gates
from rollout.model.validation.kpi import kpis
from rollout.model.validation.notifications import notifications
from rollout.model.validation.rules import Raw, Rule, exactly_one, items, mapping, number, template
from rollout.model.validation.state import state_gate


def strategy(raw: Raw) -> Iterator[Fault]:
    """One strategy: canary or blueGreen, named, never inferred."""
    yield from exactly_one(raw, "", "policy")


def steps(raw: Raw) -> Iterator[Fault]:
    """Steps rise, stay below 100 %, and do not wait for what cannot come."""
    for way in ("canary", "undo"):
        yield from _steps(mapping(raw.get(way)), way)
    preview = mapping(mapping(raw.get("blueGreen")).get("preview"))
    yield from _at_most(preview, "blueGreen.preview")
    for way in ("canary", "blueGreen", "undo"):
        bake = mapping(mapping(raw.get(way)).get("bake"))
        yield from _at_most(bake, f"{way}.bake")


def _at_most(raw: Raw, path: str) -> Iterator[Fault]:
    held, at_most = (number(duration_s, raw.get(key)) for key in ("for", "atMost"))
    if held is not None and at_most is not None and at_most < held:
        yield Fault(f"{path}.atMost", "is shorter than `for`", "make it at least as long", raw["atMost"])


def _steps(raw: Raw, way: str) -> Iterator[Fault]:
    before: float | None = None
    for index, step in enumerate(items(raw.get("steps"))):
        path, step_raw = f"{way}.steps[{index}]", mapping(step)
        weight = number(percent_bp, step_raw.get("weight"))
        if weight is not None:
            if weight == 0:
                yield Fault(f"{path}.weight", "a step without traffic shows nothing", "begin at 1% or more", "0%")
            if weight == percent_bp("100%"):
                remedy = "end the steps below 100%; `bake` watches the candidate at 100%"
                yield Fault(f"{path}.weight", "a step of 100% leaves no stable version to compare with", remedy)
            if before is not None and weight <= before:
                remedy = "write the steps in rising order"
                yield Fault(f"{path}.weight", "is not above the step before", remedy, step_raw.get("weight"))
            before = weight
        yield from _at_most(step_raw, path)
        if "atMost" in step_raw and step_raw.get("until") != "evidence" and not _is_last(raw, index):
            remedy = "add `until: evidence`, or remove atMost"
            yield Fault(f"{path}.atMost", "limits a wait for evidence that the step does not have", remedy)


def _is_last(raw: Raw, index: int) -> bool:
    return index == len(items(raw.get("steps"))) - 1


def evidence_is_possible(raw: Raw) -> Iterator[Fault]:
    """Evidence that is waited for can come: some room for the proof, at error rates that are not zero."""
    steps = items(mapping(raw.get("canary")).get("steps"))
    waits = "blueGreen" in raw or any(mapping(step).get("until") == "evidence" for step in steps)
    must_prove = False
    for index, kpi in enumerate(items(raw.get("kpis"))):
        kpi_raw = mapping(kpi)
        must_prove |= kpi_raw.get("advisory") is not True and "margin" in kpi_raw
        margin = mapping(kpi_raw.get("promotionMargin") or kpi_raw.get("margin"))
        widths = [number(percent_bp, width) for width in margin.values()]
        if waits and widths and all(width == 0 for width in widths) and kpi_raw.get("advisory") is not True:
            remedy = "widen the margin, add promotionMargin, or mark the KPI advisory: true"
            message = "a margin of zero can never be proved, and a step waits for evidence"
            yield Fault(f"kpis[{index}].margin", message, remedy)
        if "blueGreen" in raw and set(margin) == {"relative"} and "sum" not in kpi_raw and not kpi_raw.get("advisory"):
            remedy = "add absolute, such as {relative: 25%, absolute: 1%}"
            message = "a margin that is only relative proves nothing after a switch where stable hardly ever fails"
            yield Fault(f"kpis[{index}].margin", message, remedy, dict(margin))
        if "blueGreen" in raw and "sum" in kpi_raw and kpi_raw.get("advisory") is not True:
            remedy = "count buckets instead (good: …_bucket, total: …_count), or mark it advisory: true"
            yield Fault(f"kpis[{index}].sum", "means cannot be compared after a switch: both must run at once", remedy)
    if items(raw.get("kpis")) and not must_prove:
        message = "no KPI with a margin is binding, so nothing could ever prove the candidate"
        yield Fault("kpis", message, "give at least one KPI a margin and leave it binding (no advisory: true)")
    evidence = mapping(raw.get("evidence"))
    for key in ("falseRollback", "falsePromotion"):
        rate = number(percent_bp, evidence[key]) if key in evidence else None
        if rate is not None and not 0 < rate <= percent_bp("50%"):
            yield Fault(f"evidence.{key}", "must be above 0% and at most 50%", "5% is usual", evidence[key])
    for key in (name for names in FORMER_NAMES.items() for name in names if name in evidence):
        every = number(duration_s, evidence[key])
        if every is not None and not 0.2 <= every <= 3600:
            remedy = "30s is usual; 5s where there is much traffic"
            yield Fault(f"evidence.{key}", "must be between 200ms and 1h", remedy, evidence[key])
    if "dispersion" in evidence and not _is_dispersion(evidence["dispersion"]):
        remedy = 'use "learn", or a number from 1 to 1000'
        yield Fault("evidence.dispersion", "is not a dispersion", remedy, evidence["dispersion"])


def _is_dispersion(value: Any) -> bool:
    if value == "learn":
        return True
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return 1 <= Decimal(str(value)) <= 1000
    except (ArithmeticError, ValueError):  # no number, not even one that can be compared
        return False


def spend_cap(raw: Raw) -> Iterator[Fault]:
    """The spend of one version can be told from the other's."""
    cap = mapping(raw.get("spendCap"))
    counter = cap.get("counter")
    yield from template(counter, "spendCap.counter")
    if isinstance(counter, str) and "$version" not in counter:
        remedy = 'add a label such as version="$version"'
        yield Fault("spendCap.counter", "counts both versions together", remedy, counter)


POLICY_RULES: tuple[Rule, ...] = (
    strategy,  # canary or blueGreen, named, never inferred
    steps,  # rising, below 100 %, no impossible waits
    kpis,  # countable, with a margin or a bound
    evidence_is_possible,  # what is waited for can come
    gates,  # can open, have names of their own
    spend_cap,  # is the candidate's alone
    notifications,  # reach one place each
    state_gate,  # its census comes neither never nor all the time
)
