"""What a schema cannot say: rules across fields, each a function from the raw document to its faults.

They read the raw document, leniently, and not the parsed one, so that a fault in one field never hides another:
whoever mends a document sees everything at once. Here is what all rules share; the rules themselves are in
`policy_rules`, `gate_rules`, `kpi_rules` and `rollout_rules`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from rollout.errors import Fault
from rollout.model.units import TEMPLATE_NAMES, template_names

Raw = dict[str, Any]
Rule = Callable[[Raw], Iterator[Fault]]

_UNIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("policy", ("canary", "blueGreen")),
    ("rollout", ("policyRef", "policy")),
    ("metrics", ("prometheus", "scrape")),
    ("route", ("httpRoute", "grpcRoute", "virtualService", "envoy")),
    ("backends", ("service", "versions", "roles", "endpoints")),
    ("auth", ("bearer", "basic")),
    ("kpi", ("preset", "bad", "good", "sum")),
    ("envoy", ("listen", "admin")),
    ("contract", ("http", "configMap", "file", "inline")),
    ("stateStore", ("sqlite", "postgres")),
    ("postgres", ("secretKeyRef", "env")),
    ("pin", ("header", "cookie", "threadId")),
    ("census", ("gauge", "http", "store")),
    ("notification", ("apprise", "webhook", "github")),
    ("secret", ("secretKeyRef", "env")),
)
UNION = dict(_UNIONS)
IN_A_CLUSTER = frozenset({"service", "versions", "roles"})
"""What `backends` has in a cluster: Services by a template, by their names, or by their roles."""


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
    except (ValueError, TypeError, OverflowError):
        return None


def exactly_one(raw: Raw, path: str, union: str) -> Iterator[Fault]:
    """Exactly one member of a union is present."""
    members = UNION[union]
    present = [member for member in members if member in raw]
    if len(present) == 1:
        return
    what = "none is given" if not present else f"{' and '.join(present)} are both given"
    remedy = "keep one of them" if present else f"add one, such as {members[-1]}"
    yield Fault(path, f"needs exactly one of {', '.join(members)}; {what}", remedy)


def template(value: Any, path: str, known: tuple[str, ...] = TEMPLATE_NAMES) -> Iterator[Fault]:
    if isinstance(value, str):
        for unknown in sorted(template_names(value) - set(known)):
            names = ", ".join(f"${name}" for name in known)
            yield Fault(
                path, f"${unknown} is not a name that this template knows", f"use {names}; $$ is a dollar", value
            )
