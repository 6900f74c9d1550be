"""HTTPRoute and GRPCRoute of the Gateway API: their words, and when a route counts as accepted."""

from __future__ import annotations

from typing import Any

from rollout.cluster.kinds import Object
from rollout.model.naming import Naming
from rollout.traffic.rule import Dialect

USUAL_BASE = 1000
"""Allows steps of 0.1 %."""


def _service_of(backend: Object, naming: Naming) -> str | None:
    """Return the Service of a backendRef; None for what is none of ours: group, kind and port tell it too."""
    if backend.get("group") or backend.get("kind", "Service") != "Service":
        return None
    if (backend.get("namespace") or naming.namespace) != naming.services_in:
        return None
    port = naming.backends.port
    if port is not None and backend.get("port") not in (None, port):
        return None
    return str(backend.get("name", ""))


def _new_backend(version: str, naming: Naming) -> Object:
    made: Object = {"name": naming.service(version)}
    if naming.backends.port is not None:
        made["port"] = naming.backends.port
    if naming.services_in != naming.namespace:
        made["namespace"] = naming.services_in
    return made


GATEWAY = Dialect(
    rules="rules",
    backends="backendRefs",
    target=lambda backend: backend,
    target_path="",
    name_key="name",
    service_of=_service_of,
    new_backend=_new_backend,
    usual_base=USUAL_BASE,
    default_weight=1,
    alone_gets_all=False,
)

_PARENT_KEYS = ("group", "kind", "namespace", "name", "sectionName", "port")


def not_accepted(route: Object) -> str:
    """Say why a route is not in force yet, or an empty text: every parent must have taken up this very generation.

    `Programmed` does not exist for routes (GEP-1364), so this is the most that an API can say; whether requests are
    split as told is seen in the metrics only.
    """
    generation = route["metadata"].get("generation", 0)
    namespace = route["metadata"].get("namespace", "default")
    entries = (route.get("status") or {}).get("parents") or ()
    parents = route.get("spec", {}).get("parentRefs") or ()
    if not parents:
        return "names no parent: no gateway will ever take it up; add parentRefs"
    for parent in parents:
        told = [
            _trouble(entry, generation) for entry in entries if _same(entry.get("parentRef") or {}, parent, namespace)
        ]
        if not told:
            return f"no gateway has said anything of its parent {parent.get('name')}: is its controller running?"
        if all(told):
            return f"its parent {parent.get('name')} has not taken it up: {told[0]}"
    return ""


def _same(one: Object, other: Object, namespace: str) -> bool:
    usual: dict[str, Any] = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace}
    return all((one.get(key) or usual.get(key)) == (other.get(key) or usual.get(key)) for key in _PARENT_KEYS)


def _trouble(entry: Object, generation: int) -> str:
    conditions = {each.get("type"): each for each in entry.get("conditions") or ()}
    for wanted in ("Accepted", "ResolvedRefs"):
        found = conditions.get(wanted)
        if found is None:
            return f"{wanted} is not known"
        if found.get("status") != "True":
            return f"{wanted} is {found.get('status')} ({found.get('reason')}: {found.get('message', '')})"
        if found.get("observedGeneration") != generation:
            return f"{wanted} is about generation {found.get('observedGeneration')}, and {generation} is written"
    partial = conditions.get("PartiallyInvalid", {})
    if partial.get("status") == "True":
        return f"it is partially invalid ({partial.get('message', '')})"
    return ""
