"""What a schema cannot say: rules across fields, each a function from the raw document to its faults.

They read the raw document, leniently, and not the parsed one, so that a fault in one field never hides another:
whoever mends a document sees everything at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rollout.errors import Fault
from rollout.model.units import TEMPLATE_NAMES, duration_s, percent_bp, template_names

Raw = dict[str, Any]
Rule = Callable[[Raw], Iterator[Fault]]

_UNIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("policy", ("canary", "blueGreen")),
    ("rollout", ("policyRef", "policy")),
    ("metrics", ("prometheus", "scrape")),
    ("route", ("httpRoute", "grpcRoute", "virtualService", "envoy")),
    ("kpi", ("preset", "bad", "good")),
)
UNION = dict(_UNIONS)


def mapping(value: Any) -> Raw:
    """Return the value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def number(read: Callable[[Any], float], value: Any) -> float | None:
    """Return what `read` makes of a value; None where that is somebody else's fault to report."""
    try:
        return read(value)
    except ValueError:
        return None


def exactly_one(raw: Raw, path: str, union: str) -> Iterator[Fault]:
    """Exactly one member of a union is present."""
    members = UNION[union]
    present = [member for member in members if member in raw]
    if len(present) == 1:
        return
    what = "none is given" if not present else f"{' and '.join(present)} are both given"
    yield Fault(path, f"needs exactly one of {', '.join(members)}; {what}", "keep the one that is meant")


def canary_steps(raw: Raw) -> Iterator[Fault]:
    """Steps rise, stay below 100 %, and do not wait for what cannot come."""
    before: float | None = None
    for index, step in enumerate(items(mapping(raw.get("canary")).get("steps"))):
        path, step_raw = f"canary.steps[{index}]", mapping(step)
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
        held, at_most = (number(duration_s, step_raw.get(key)) for key in ("for", "atMost"))
        if held is not None and at_most is not None and at_most < held:
            yield Fault(f"{path}.atMost", "is shorter than `for`", "make it at least as long", step_raw["atMost"])
        if "atMost" in step_raw and step_raw.get("until") != "evidence" and not _is_last(raw, index):
            remedy = "add `until: evidence`, or remove atMost"
            yield Fault(f"{path}.atMost", "limits a wait for evidence that the step does not have", remedy)


def _is_last(raw: Raw, index: int) -> bool:
    return index == len(items(mapping(raw.get("canary")).get("steps"))) - 1


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
            yield Fault(path, "has neither margin nor bound, so nothing could ever be worse", remedy)
        if "preset" not in kpi_raw and "total" not in kpi_raw:
            yield Fault(f"{path}.total", "is missing", "name the counter of all outcomes, good and bad")
        for key in ("bad", "good", "total", "with"):
            if "preset" in kpi_raw and key in kpi_raw and key != "with":
                yield Fault(f"{path}.{key}", "is set by the preset already", "remove it, or remove the preset")
            if "preset" not in kpi_raw and key == "with" and key in kpi_raw:
                yield Fault(f"{path}.with", "fills in a preset, and there is none", "remove it, or name a preset")
        for key in ("bad", "good", "total"):
            yield from _template(kpi_raw.get(key), f"{path}.{key}")
        yield from _margins(kpi_raw, path)


def _template(value: Any, path: str) -> Iterator[Fault]:
    if isinstance(value, str):
        for unknown in sorted(template_names(value) - set(TEMPLATE_NAMES)):
            names = ", ".join(f"${name}" for name in TEMPLATE_NAMES)
            yield Fault(path, f"${unknown} is no name this template knows", f"use {names}; $$ is a dollar", value)


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


def evidence_is_possible(raw: Raw) -> Iterator[Fault]:
    """Evidence that is waited for can come: some room for the proof, at error rates that are not zero."""
    steps = items(mapping(raw.get("canary")).get("steps"))
    waits = any(mapping(step).get("until") == "evidence" for step in steps)
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
    if items(raw.get("kpis")) and not must_prove:
        message = "no KPI with a margin is binding, so nothing could ever prove the candidate"
        yield Fault("kpis", message, "give at least one KPI a margin and leave it binding (no advisory: true)")
    evidence = mapping(raw.get("evidence"))
    for key in ("falseRollback", "falsePromotion"):
        rate = number(percent_bp, evidence[key]) if key in evidence else None
        if rate is not None and not 0 < rate <= percent_bp("50%"):
            yield Fault(f"evidence.{key}", "must be above 0% and at most 50%", "5% is usual", evidence[key])
    every = number(duration_s, evidence.get("lookEvery")) if "lookEvery" in evidence else None
    if every is not None and not 0.2 <= every <= 3600:
        remedy = "30s is usual; 5s where there is much traffic"
        yield Fault("evidence.lookEvery", "must be between 200ms and 1h", remedy, evidence["lookEvery"])
    dispersion = number(float, evidence.get("dispersion", "learn")) if evidence.get("dispersion") != "learn" else None
    if dispersion is not None and not 1.0 <= dispersion <= 1000.0:
        remedy = 'use "learn", or a number from 1 to 1000'
        yield Fault("evidence.dispersion", "is no dispersion", remedy, evidence["dispersion"])


def endpoints(raw: Raw) -> Iterator[Fault]:
    """Two versions never share an address: their metrics and their traffic could not be told apart."""
    seen: dict[str, str] = {}
    for index, endpoint in enumerate(items(mapping(raw.get("backends")).get("endpoints"))):
        path = f"backends.endpoints[{index}].url"
        url, version = mapping(endpoint).get("url"), mapping(endpoint).get("version")
        if not isinstance(url, str):
            continue
        if url.startswith("https://"):
            yield Fault(path, "https is not supported yet", "let the agent speak http on loopback", url)
        elif not url.startswith("http://"):
            yield Fault(path, "is no address of a server", f"write http://{url}", url)
        elif (port := port_of(url)) is not None and not 1 <= port <= 65_535:
            yield Fault(path, "is no port", "use 1 to 65535", url)
        if isinstance(version, str) and seen.setdefault(url.rstrip("/"), version) != version:
            message = f"{version} and {seen[url.rstrip('/')]} share one address, so they cannot be told apart"
            yield Fault(path, message, "give each version its own address", url)


def port_of(address: str) -> int | None:
    """Return the port at the end of an address, if there is one."""
    port = address.rstrip("/").rpartition(":")[2]
    return int(port) if port.isdigit() else None


def listen(raw: Raw) -> Iterator[Fault]:
    """The router listens on an address that exists and that no version uses."""
    urls = {
        str(mapping(endpoint).get("url")).removeprefix("http://").rstrip("/")
        for endpoint in items(mapping(raw.get("backends")).get("endpoints"))
    }
    for index, route in enumerate(items(raw.get("routes"))):
        address, path = mapping(mapping(route).get("envoy")).get("listen"), f"routes[{index}].envoy.listen"
        if isinstance(address, int):
            yield Fault(path, "is no address", f'write host and port: "127.0.0.1:{address}"', address)
        elif isinstance(address, str):
            port = port_of(address)
            if port is not None and not 1 <= port <= 65_535:
                yield Fault(path, "is no port", "use 1 to 65535", address)
            if address in urls:
                yield Fault(path, "is the address of a version", "choose another: users enter here", address)


def _unions(raw: Raw) -> Iterator[Fault]:
    yield from exactly_one(raw, "", "rollout")
    if isinstance(raw.get("metrics"), dict):
        yield from exactly_one(raw["metrics"], "metrics", "metrics")
    for index, route in enumerate(items(raw.get("routes"))):
        if isinstance(route, dict):
            yield from exactly_one(route, f"routes[{index}]", "route")


def _strategy(raw: Raw) -> Iterator[Fault]:
    yield from exactly_one(raw, "", "policy")


POLICY_RULES: tuple[Rule, ...] = (
    _strategy,  # canary or blueGreen, named, never inferred
    canary_steps,  # rising, below 100 %, no impossible waits
    kpis,  # countable, with a margin or a bound
    evidence_is_possible,  # what is waited for can come
)

ROLLOUT_RULES: tuple[Rule, ...] = (
    _unions,  # one policy, one metrics source, one kind per route
    endpoints,  # versions can be told apart
    listen,  # where nobody else does
)
