"""VirtualService of Istio: its words. It tells no dependable status, so only the requests show what is effective.

Versions are told apart by host, or by subset of one host: what a subset selects stands in a DestinationRule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollout.adapters.kubernetes.resources import Object, namespace_of
from rollout.adapters.routers.gateway_api import MIRRORS, RETRIES, Acceptance
from rollout.adapters.routers.rule import RouteDialect
from rollout.model.api.naming import Naming

USUAL_BASE = 100
"""Weights that add up to 100 are what every version of Istio takes."""


def _destination(backend: Object) -> Object:
    destination = backend.get("destination")
    return destination if isinstance(destination, dict) else {}


def _version_of(backend: Object, naming: Naming) -> str | None:
    return None if _why_not(backend, naming) else naming.version_of(*_named(backend))


def _named(backend: Object) -> tuple[str, str]:
    """Return the Service that a backend names, and the subset."""
    destination = _destination(backend)
    return str(destination.get("host", "")).partition(".")[0], str(destination.get("subset") or "")


def _why_not(backend: Object, naming: Naming) -> str:
    destination = _destination(backend)
    host = str(destination.get("host", ""))
    subset = destination.get("subset")
    if subset and naming.backends.subset is None:
        remedy = f"declare it, such as backends: {{service: {host.partition('.')[0]}, subset: $version}}"
        return f"splits {host} by subset {subset}: {remedy}"
    service, _, rest = host.partition(".")
    namespace = rest.partition(".")[0] or naming.namespace
    if namespace != naming.services_in or (rest.count(".") and not rest.partition(".")[2].startswith("svc")):
        return f"host {host} is not in the namespace {naming.services_in}"
    port = destination.get("port")
    number = port.get("number") if isinstance(port, dict) else None
    if naming.backends.port is not None and number not in (None, naming.backends.port):
        return f"host {host} is on port {number}, and spec.backends.port is {naming.backends.port}: correct one of them"
    if naming.backends.subset is not None and service == naming.service("") and not subset:
        return f"host {host} has no subset, and {naming.written} tells versions apart: add it"
    if naming.backends.subset is not None and naming.version_of(*_named(backend)) is None:
        return f"subset {subset} of {host} is not named by {naming.written}, of the Service {naming.service('')}"
    if naming.version_of(*_named(backend)) is None:
        return f"host {host} is not named by {naming.written}"
    return ""


def _new_backend(version: str, naming: Naming) -> Object:
    host = naming.service(version)
    if naming.services_in != naming.namespace:
        host = f"{host}.{naming.services_in}.svc.cluster.local"
    destination: Object = {"host": host}
    if subset := naming.subset(version):
        destination["subset"] = subset
    if naming.backends.port is not None:
        destination["port"] = {"number": naming.backends.port}
    return {"destination": destination}


def _repeats(rule: Object) -> Iterable[str]:
    if rule.get("mirror") or rule.get("mirrors"):
        yield MIRRORS
    retries = rule.get("retries")
    if isinstance(retries, dict) and retries.get("attempts"):
        yield RETRIES


def _unsplit(route: Object) -> str:
    """Say why no rule can be split, where the whole object says so."""
    spec = route.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    http = spec.get("http")
    rules = [rule for rule in http if isinstance(rule, dict)] if isinstance(http, list) else []
    delegates = [rule["delegate"] for rule in rules if isinstance(rule.get("delegate"), dict)]
    if delegates and not any(rule.get("route") for rule in rules):
        named = sorted({_delegate(delegate, route) for delegate in delegates})
        names = ", ".join("/".join(part for part in (namespace, name) if part) for namespace, name in named)
        return f"delegates to {names}: one of these must be there, in its own namespace, and name both versions"
    return ""


def _delegate(raw: Object, route: Object) -> tuple[str, str]:
    return str(raw.get("namespace") or namespace_of(route)), str(raw.get("name", ""))


def delegates_of(route: Object) -> tuple[str, ...]:
    """Return the names of the VirtualServices in its namespace that a root hands its requests on to."""
    spec = route.get("spec")
    http = spec.get("http") if isinstance(spec, dict) else None
    rules = [rule for rule in http if isinstance(rule, dict)] if isinstance(http, list) else []
    delegates = [rule["delegate"] for rule in rules if isinstance(rule.get("delegate"), dict)]
    places = dict.fromkeys(_delegate(delegate, route) for delegate in delegates)
    return tuple(name for namespace, name in places if name and namespace == namespace_of(route))


def acceptance(_: Object) -> Acceptance:
    """Return that nothing can be told."""
    return Acceptance()


ISTIO = RouteDialect(
    rules="http",
    backends="route",
    matches="match",
    target=_destination,
    target_path="/destination",
    name_key="host",
    version_of=_version_of,
    why_not=_why_not,
    cautions=lambda _: (),
    repeats=_repeats,
    unsplit=_unsplit,
    new_backend=_new_backend,
    usual_base=USUAL_BASE,
    default_weight=0,
    alone_gets_all=True,
)

ISTIO_TLS = replace(ISTIO, rules="tls", repeats=lambda _: (), unsplit=lambda _: "", has_headers=False)
ISTIO_TCP = replace(ISTIO_TLS, rules="tcp")
"""Connections that are passed on as they are: they are split, and nothing in them can be read."""
