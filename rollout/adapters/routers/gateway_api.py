"""HTTPRoute and GRPCRoute of the Gateway API: their words, and when a route counts as accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import RouteDialect
from rollout.model.api.naming import Naming

USUAL_BASE = 1000
"""Allows steps of 0.1 %."""

CORE = ("", "core", None)
"""How the group of Services is written: the API says "", some controllers write "core"."""


def _version_of(backend: Object, naming: Naming) -> str | None:
    """Return the version of a backendRef; None for what is none of ours: group, kind and port tell it too."""
    return None if _why_not(backend, naming) else naming.version_of(str(backend.get("name", "")))


def _why_not(backend: Object, naming: Naming) -> str:
    name = str(backend.get("name", ""))
    if not _is_of_kind(backend, naming):
        kind, group = backend.get("kind", "Service"), backend.get("group") or "the core group"
        declares = f"declare spec.backends.reference: {{group: {backend.get('group')}, kind: {kind}}}"
        remedy = "" if naming.backends.reference or backend.get("group") in CORE else f": {declares}"
        return f"backend {name} is of the kind {kind} of {group}, not {naming.kind}{remedy}"
    namespace = backend.get("namespace") or naming.namespace
    if namespace != naming.services_in:
        return f"backend {name} is in the namespace {namespace}, and the Services are in {naming.services_in}"
    port = naming.backends.port
    if port is not None and backend.get("port") not in (None, port):
        return f"backend {name} is on port {backend.get('port')}, and spec.backends.port is {port}: correct one of them"
    if naming.version_of(name) is None:
        return f"backend {name} is not named by {naming.written}"
    return ""


def _is_of_kind(backend: Object, naming: Naming) -> bool:
    """Whether a backend is a Service, or of the kind that is declared in its place."""
    reference = naming.backends.reference
    if reference is not None:
        return (backend.get("group"), backend.get("kind")) == (reference.group, reference.kind)
    return backend.get("group") in CORE and backend.get("kind", "Service") == "Service"


def _new_backend(version: str, naming: Naming) -> Object:
    backend: Object = {"name": naming.service(version)}
    if (reference := naming.backends.reference) is not None:
        backend = {"group": reference.group, "kind": reference.kind, **backend}
    if naming.backends.port is not None:
        backend["port"] = naming.backends.port
    if naming.services_in != naming.namespace:
        backend["namespace"] = naming.services_in
    return backend


def _cautions(rule: Object) -> Iterable[str]:
    if rule.get("sessionPersistence"):
        yield "has sessionPersistence: a session stays on its version, also after its weight is 0"


def _repeats(rule: Object) -> Iterable[str]:
    filters = [entry.get("type") for entry in _objects(rule.get("filters"))]
    if "RequestMirror" in filters:
        yield MIRRORS
    if rule.get("retry"):
        yield RETRIES


MIRRORS = "mirrors requests: an agent whose tools have side effects acts twice"
RETRIES = "retries requests: a call with side effects may be carried out twice, and failures of a version are hidden"

GATEWAY = RouteDialect(
    rules="rules",
    backends="backendRefs",
    matches="matches",
    target=lambda backend: backend,
    target_path="",
    name_key="name",
    version_of=_version_of,
    why_not=_why_not,
    cautions=_cautions,
    repeats=_repeats,
    unsplit=lambda _: "",
    new_backend=_new_backend,
    usual_base=USUAL_BASE,
    default_weight=1,
    alone_gets_all=False,
)

_PARENT_KEYS = ("group", "kind", "namespace", "name", "sectionName", "port")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What whoever carries a route out says of it.

    Attributes:
        programmed: whether nothing speaks against it being effective: what is not reported cannot be told, and then the
            requests must show it.
        accepted: whether it is carried out at all.
        message: what speaks against it, or is in doubt.
    """

    programmed: bool = True
    accepted: bool = True
    message: str = ""


def acceptance(route: Object) -> Acceptance:
    """Return whether a route is effective: every parent must have taken up this very generation.

    `Programmed` does not exist for routes (GEP-1364), so this is the most that an API can say; whether requests are
    split as told is seen in the metrics only.
    """
    generation = route["metadata"].get("generation", 0)
    namespace = route["metadata"].get("namespace", "default")
    entries = _objects(_object(route.get("status")).get("parents"))
    parents = _objects(_object(route.get("spec")).get("parentRefs"))
    if not parents:
        return Acceptance(False, False, "has no parentRefs, so no gateway accepts it: add them")
    doubt = ""
    for parent in parents:
        answers = [
            _acceptance(entry, generation)
            for entry in entries
            if _same(_object(entry.get("parentRef")), parent, namespace)
        ]
        if not answers:
            waits = f"no controller reports a status for its parent {parent.get('name')}: check that one is running"
            return Acceptance(False, False, waits)
        best = max(answers, key=lambda answer: (answer.programmed, answer.accepted, not answer.message))
        if not best.programmed:
            message = f"its parent {parent.get('name')} has not accepted the route: {best.message}"
            return Acceptance(False, best.accepted, message)
        doubt = doubt or (f"its parent {parent.get('name')}: {best.message}" if best.message else "")
    return Acceptance(message=doubt)


def _object(value: Any) -> Object:
    """Return an object of somebody else's as one, whatever stands there."""
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Object]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _same(one: Object, other: Object, namespace: str) -> bool:
    usual: dict[str, Any] = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace}

    def of(parent: Object, key: str) -> Any:
        value = parent.get(key)
        if key == "group" and value in ("", "core"):
            return ""  # a mesh: the parent is a Service
        return value or usual.get(key)

    return all(of(one, key) == of(other, key) for key in _PARENT_KEYS)


def _acceptance(entry: Object, generation: int) -> Acceptance:
    """Return what one parent's controller says. A reference that does not resolve may be another rule's.

    Our own rule's references are checked by ourselves, so they hold nothing up.
    """
    conditions = {str(condition.get("type")): condition for condition in _objects(entry.get("conditions"))}
    for wanted in ("Accepted", "ResolvedRefs"):
        condition = conditions.get(wanted)
        if condition is None:
            return Acceptance(False, wanted != "Accepted", f"{wanted} is not known")
        observed = condition.get("observedGeneration")
        if isinstance(observed, int) and 0 < observed < generation:
            return Acceptance(False, False, f"{wanted} is about generation {observed}, and {generation} is written")
        if condition.get("status") != "True":
            message = (
                f"{wanted} is {condition.get('status')} ({condition.get('reason')}: {condition.get('message', '')})"
            )
            return Acceptance(False, False, message) if wanted == "Accepted" else Acceptance(message=message)
    partial = conditions.get("PartiallyInvalid", {})
    if partial.get("status") == "True":
        return Acceptance(False, True, f"it is partially invalid ({partial.get('message', '')})")
    return Acceptance()
