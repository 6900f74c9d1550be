"""Where versions answer inside a cluster: at their Services for others, at their endpoints for ourselves."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Iterator

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import SERVICE, Object
from rollout.adapters.workloads.backing import backend_of, slices_of
from rollout.adapters.workloads.grants import not_granted
from rollout.adapters.workloads.ports import is_ready, not_served, ports_of
from rollout.errors import ClusterUnavailable, PageUnavailable
from rollout.model.api.naming import Naming

EVERY_MAX = 100
"""So many pods are asked one after the other, where each must be."""

ADDRESSES_MAX = 3
"""So many pods of a version are asked at most, one after the other, until one answers."""


def service_urls(api: Api, naming: Naming) -> Callable[[str], list[str]]:
    """Return where a version answers, for whoever is told of it: its Service, on the port declared, else the first.

    None where versions share a Service: it answers for any of them; none where they have no Service.
    """

    def urls(version: str) -> list[str]:
        if naming.backends.subset is not None or naming.backends.reference is not None:
            return []
        service, port = naming.service(version), naming.backends.port
        if port is None:
            with contextlib.suppress(ClusterUnavailable):
                port = ports_of(api.get(SERVICE, naming.services_in, service))[0]["port"]
        return [f"http://{service}.{naming.services_in}.svc{f':{port}' if port is not None else ''}"]

    return urls


def endpoint_urls(
    api: Api, naming: Naming, route_kinds: tuple[str, ...], *, every: bool = False
) -> Callable[[str], list[str]]:
    """Return where we ourselves ask a version: at ready endpoints of its Service, and nowhere else.

    Not by the Service's name: whoever may write Services could let that name stand for any host between a check and
    the request. Of another namespace nothing is asked before it grants it. The function raises Unavailable with what
    is missing.

    Args:
        every: whether all of them are asked, also those that are not ready; where they are too many, that is told.
    """

    def urls(version: str) -> list[str]:
        if missing := not_granted(api, naming, route_kinds, (version,)):
            raise PageUnavailable(missing)
        name, namespace = naming.service(version), naming.services_in
        where = f"{namespace}/{name}"
        service = backend_of(api, naming, version)
        if service is None:
            raise PageUnavailable(f"there is no {naming.kind} {where}: create it")
        declared = naming.backends.port
        if problem := not_served(service, () if declared is None else (declared,), where):
            raise PageUnavailable(problem)
        port = next((port for port in ports_of(service) if port["port"] == declared), ports_of(service)[0])
        slices, problem = slices_of(api, naming, version)
        if problem:
            raise PageUnavailable(problem)
        addresses = [address for piece in slices for address in _addresses(piece, port.get("name") or "", every)]
        if not addresses:
            raise PageUnavailable(f"{where} has no ready endpoint to ask: check its pods and the Service's selector")
        if every and len(addresses) > EVERY_MAX:
            raise PageUnavailable(f"{where} has {len(addresses)} endpoints, too many to ask each: use a gauge")
        return [f"http://{address}" for address in (addresses if every else addresses[:ADDRESSES_MAX])]

    return urls


def _addresses(endpoint_slice: Object, port_name: str, every: bool) -> Iterator[str]:
    """Yield `ip:port` of the ready endpoints of a slice, or of all, on the Service's port of a name."""
    for port in endpoint_slice.get("ports") or ():
        if (port.get("name") or "") != port_name or not isinstance(port.get("port"), int):
            continue
        for endpoint in endpoint_slice.get("endpoints") or ():
            for address in endpoint.get("addresses") or () if every or is_ready(endpoint) else ():
                if (host := _host(str(address))) is not None:
                    yield f"{host}:{port['port']}"


def _host(address: str) -> str | None:
    """Return an address as URLs write it; None for what no pod has: a name, a host of its own, its metadata."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        return None
    return f"[{parsed}]" if parsed.version == 6 else str(parsed)
