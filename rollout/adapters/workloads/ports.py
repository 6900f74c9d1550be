"""Ready means reachable: from the backend's port to the Service's, to its endpoints', one of which is ready."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kubernetes.resources import (
    Object,
)


def ports_of(service: Object) -> list[Object]:
    ports = (service.get("spec") or {}).get("ports") or ()
    return [
        port for port in ports if isinstance(port, dict) and isinstance(port.get("port"), int) and _is_tcp(port)
    ] or [{"port": None}]


def _is_tcp(port: Object) -> bool:
    """Whether a port takes what routes send; absent means TCP."""
    return (port.get("protocol") or "TCP") == "TCP"


def not_served(service: Object, ports: Iterable[int], where: str) -> str:
    """Say why a Service does not take requests on a port, or an empty text."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return f"the Service {where} is an ExternalName and has no endpoints: give the version one with a selector"
    served = [port["port"] for port in ports_of(service)]
    for port in ports:
        if port not in served:
            known = ", ".join(str(number) for number in served if number is not None) or "none"
            return (
                f"the Service {where} has no TCP port {port}, it has {known}: correct spec.backends.port or the Service"
            )
    return ""


def not_listening(service: Object, slices: Iterable[Object], ports: Iterable[int], where: str) -> str:
    """Say on which port no ready endpoint listens, or an empty text: each is ready for the ports of its slice."""
    slices = list(slices)
    declared = [entry for entry in ports_of(service) if entry["port"] is not None]
    wanted = [entry for entry in declared if entry["port"] in set(ports)] or declared
    for port in wanted:
        name = port.get("name") or ""
        if not any(_listens(endpoint_slice, name) for endpoint_slice in slices):
            target = port.get("targetPort", port["port"])
            message = f"no ready endpoint of the Service {where} listens on its port {port['port']} (target {target})"
            return f"{message}: compare the Service's targetPort with the ports of its pods"
        if not ports:
            return ""  # nobody says which port it is: one that is served is enough
    return ""


def _listens(piece: Object, name: str) -> bool:
    """Whether a slice has a ready endpoint on the Service's port of a name."""
    ports = [entry for entry in piece.get("ports") or () if isinstance(entry, dict)]
    named = any((entry.get("name") or "") == name and entry.get("port") and _is_tcp(entry) for entry in ports)
    return named and any(is_ready(endpoint) for endpoint in piece.get("endpoints") or ())


def is_ready(endpoint: Object) -> bool:
    """Whether an endpoint takes new requests; unknown counts as ready, as EndpointSlice says.

    `ready` is true of one that is ending where the Service publishes addresses that are not ready.
    """
    conditions = endpoint.get("conditions") or {}
    is_up = conditions.get("ready") is not False and conditions.get("serving") is not False
    return is_up and conditions.get("terminating") is not True
