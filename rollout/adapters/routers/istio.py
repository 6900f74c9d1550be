"""VirtualService of Istio: its words. It tells no dependable status, so only the requests show what is effective.

Versions are told apart by host. Subsets of one host are refused: what a subset selects stands in another object.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.gateway_api import MIRRORS, RETRIES, Acceptance
from rollout.adapters.routers.rule import RouteDialect
from rollout.model.api.naming import Naming

USUAL_BASE = 100
"""Weights that add up to 100 are what every version of Istio takes."""


def _destination(backend: Object) -> Object:
    destination = backend.get("destination")
    return destination if isinstance(destination, dict) else {}


def _service_of(backend: Object, naming: Naming) -> str | None:
    return None if _why_not(backend, naming) else str(_destination(backend).get("host", "")).partition(".")[0]


def _why_not(backend: Object, naming: Naming) -> str:
    destination = _destination(backend)
    host = str(destination.get("host", ""))
    if destination.get("subset"):
        return f"splits {host} by subset {destination['subset']}: give each version a host of its own"
    service, _, rest = host.partition(".")
    namespace = rest.partition(".")[0] or naming.namespace
    if namespace != naming.services_in or (rest.count(".") and not rest.partition(".")[2].startswith("svc")):
        return f"host {host} is not in the namespace {naming.services_in}"
    port = destination.get("port")
    number = port.get("number") if isinstance(port, dict) else None
    if naming.backends.port is not None and number not in (None, naming.backends.port):
        return f"host {host} is on port {number}, and spec.backends.port is {naming.backends.port}: correct one of them"
    if naming.version_of(service) is None:
        return f"host {host} is not named by {naming.written}"
    return ""


def _new_backend(version: str, naming: Naming) -> Object:
    host = naming.service(version)
    if naming.services_in != naming.namespace:
        host = f"{host}.{naming.services_in}.svc.cluster.local"
    destination: Object = {"host": host}
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
        names = ", ".join(str(delegate.get("name")) for delegate in delegates)
        return f"delegates to the VirtualService {names}: name that one in spec.routes"
    others = [kind for kind in ("tcp", "tls") if spec.get(kind)]
    if others and not rules:
        return f"splits {' and '.join(others)}: only http can be split"
    return ""


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
    service_of=_service_of,
    why_not=_why_not,
    cautions=lambda _: (),
    repeats=_repeats,
    unsplit=_unsplit,
    new_backend=_new_backend,
    usual_base=USUAL_BASE,
    default_weight=0,
    alone_gets_all=True,
)
