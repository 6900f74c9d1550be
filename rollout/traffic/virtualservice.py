"""VirtualService of Istio: http routes with host-level destinations.

Istio gives no dependable word that a VirtualService is in force (its analysis status has been unreliable for years), so
what is written counts as applied and the requests must show it.
"""

from __future__ import annotations

from rollout.cluster.kinds import Object
from rollout.model.naming import Naming
from rollout.traffic.rule import Dialect, Refused

USUAL_BASE = 100
"""Weights that add up to 100 are what every version of Istio takes."""


def _service_of(backend: Object, naming: Naming) -> str | None:
    destination = backend.get("destination") or {}
    host = str(destination.get("host", ""))
    service, _, rest = host.partition(".")
    namespace = rest.partition(".")[0] or naming.namespace
    if namespace != naming.services_in or (rest.count(".") and not rest.partition(".")[2].startswith("svc")):
        return None
    port = (destination.get("port") or {}).get("number")
    if naming.backends.port is not None and port not in (None, naming.backends.port):
        return None
    if naming.version_of(service) is not None and destination.get("subset"):
        raise Refused(f"splits {host} by subset {destination['subset']}: give each version a host of its own")
    return service


def _new_backend(version: str, naming: Naming) -> Object:
    host = naming.service(version)
    if naming.services_in != naming.namespace:
        host = f"{host}.{naming.services_in}.svc.cluster.local"
    destination: Object = {"host": host}
    if naming.backends.port is not None:
        destination["port"] = {"number": naming.backends.port}
    return {"destination": destination}


ISTIO = Dialect(
    rules="http",
    backends="route",
    target=lambda backend: dict(backend["destination"]),
    target_path="/destination",
    name_key="host",
    service_of=_service_of,
    new_backend=_new_backend,
    usual_base=USUAL_BASE,
    default_weight=0,
    alone_gets_all=True,
)
