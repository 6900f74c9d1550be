"""Rules across the fields of a Rollout."""

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from rollout.errors import Fault
from rollout.model.units import TEMPLATE_NAMES, duration_s, object_form, template_names
from rollout.model.validation.conversations import conversations
from rollout.model.validation.rules import IN_A_CLUSTER, Raw, Rule, exactly_one, items, mapping, number, template
from rollout.model.validation.state import contract, state_store

CLUSTER_KINDS = {"httpRoute", "grpcRoute", "virtualService"}


def endpoints(raw: Raw) -> Iterator[Fault]:
    """Two versions never share an address: their metrics and their traffic could not be told apart."""
    seen: dict[str, str] = {}
    forms: dict[str, str] = {}
    for index, endpoint in enumerate(items(mapping(raw.get("backends")).get("endpoints"))):
        path = f"backends.endpoints[{index}].url"
        url, version = mapping(endpoint).get("url"), mapping(endpoint).get("version")
        if isinstance(version, str) and forms.setdefault(object_form(version), version) != version:
            message = f"cannot be told from {forms[object_form(version)]} in names: both are {object_form(version)}"
            yield Fault(f"backends.endpoints[{index}].version", message, "give one of them another name", version)
        if not isinstance(url, str):
            continue
        if url.startswith("https://"):
            yield Fault(path, "https is not supported yet", "let the agent speak http on loopback", url)
        elif not url.startswith("http://"):
            yield Fault(path, "is not the address of a server", f"write http://{url}", url)
        elif not _is_server(url):
            yield Fault(
                path, "is not the address of a server", "write http://host:port, with a port from 1 to 65535", url
            )
        if isinstance(version, str) and seen.setdefault(url.rstrip("/"), version) != version:
            message = f"{version} and {seen[url.rstrip('/')]} share one address, so they cannot be told apart"
            yield Fault(path, message, "give each version its own address", url)


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


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
        envoy = mapping(mapping(route).get("envoy"))
        for key in ("listen", "preview", "admin"):
            yield from _address(envoy.get(key), f"routes[{index}].envoy.{key}", urls)
        if "listen" in envoy and envoy.get("listen") == envoy.get("preview"):
            remedy = "choose another: users must not enter by the preview"
            yield Fault(f"routes[{index}].envoy.preview", "is the address that users enter by", remedy)
        if "admin" in envoy and "listen" not in envoy:
            if "directory" not in envoy:
                remedy = "name the directory that your Envoy watches; see docs/on-one-machine.md"
                yield Fault(f"routes[{index}].envoy.directory", "is missing", remedy)
            if "preview" in envoy:
                remedy = "remove it and declare the listener in your Envoy; see docs/on-one-machine.md"
                yield Fault(f"routes[{index}].envoy.preview", "is for an Envoy that this tool starts", remedy)
        elif "directory" in envoy and "admin" not in envoy:
            remedy = "remove it, or name your own Envoy's admin page instead of listen"
            yield Fault(f"routes[{index}].envoy.directory", "is for an Envoy of your own", remedy)


def _address(address: Any, path: str, urls: set[str]) -> Iterator[Fault]:
    if isinstance(address, int):
        yield Fault(path, "is not an address", f'write host and port: "127.0.0.1:{address}"', address)
    elif isinstance(address, str):
        port = port_of(address)
        if port is not None and not 1 <= port <= 65_535:
            yield Fault(path, "is not a port", "use 1 to 65535", address)
        if address in urls:
            yield Fault(path, "is the address of a version", "choose another: users enter here", address)
        if port is not None and not path.endswith(".admin") and not _is_listenable(address.rpartition(":")[0]):
            remedy = f"write 127.0.0.1:{port} for this machine only, or 0.0.0.0:{port} for all who can reach it"
            yield Fault(path, "is not an IP address of this machine, nor localhost", remedy, address)


def _is_listenable(host: str) -> bool:
    """Whether something can listen on a host without asking anybody for its address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return True


def _unions(raw: Raw) -> Iterator[Fault]:
    yield from exactly_one(raw, "", "rollout")
    for key in ("backends", "metrics"):
        if isinstance(raw.get(key), dict):
            yield from exactly_one(raw[key], key, key)
    prometheus = mapping(mapping(raw.get("metrics")).get("prometheus"))
    if isinstance(prometheus.get("auth"), dict):
        yield from exactly_one(prometheus["auth"], "metrics.prometheus.auth", "auth")
    for index, route in enumerate(items(raw.get("routes"))):
        if isinstance(route, dict):
            yield from exactly_one(route, f"routes[{index}]", "route")
            if isinstance(route.get("envoy"), dict):
                yield from exactly_one(route["envoy"], f"routes[{index}].envoy", "envoy")


def templates(raw: Raw) -> Iterator[Fault]:
    """A template names the version, so that two versions are two Services."""
    backends = mapping(raw.get("backends"))
    yield from _subsets(raw, backends)
    # The Service that subsets share tells no version.
    by_service = ("version", "service") if "subset" not in backends else ("version",)
    by_service = ("service",) if "roles" in backends else by_service
    for key, telling in (("service", ("version",)), ("subset", ("version",)), ("deployment", by_service)):
        text = backends.get(key)
        if key == "service" and "subset" in backends:
            yield from template(text, "backends.service")
            continue
        known = (*TEMPLATE_NAMES, "service") if "service" in telling else TEMPLATE_NAMES
        yield from template(text, f"backends.{key}", known)
        if isinstance(text, str) and not template_names(text) & set(telling):
            yield _not_telling(key, text, by_role="roles" in backends)
    yield from _roles(backends)
    yield from _reference(raw, backends)
    yield from _one_service_each(mapping(backends.get("versions")))
    for key in ("subset", "deployment", "port", "namespace", "reference"):
        if key in backends and "endpoints" in backends:
            yield Fault(f"backends.{key}", "belongs to a Service, and there are endpoints", "remove it", backends[key])
    requests = mapping(mapping(raw.get("metrics")).get("prometheus")).get("requests")
    yield from template(requests, "metrics.prometheus.requests", (*TEMPLATE_NAMES, "service", "subset"))


def _not_telling(key: str, text: str, *, by_role: bool) -> Fault:
    """Return the fault of a template that gives all versions the same name."""
    if by_role:
        message = "has no $service, so both roles have the same Deployment"
        return Fault(f"backends.{key}", message, "put $service into it, such as $service", text)
    remedy = "put $version into it, such as $name-$version"
    return Fault(f"backends.{key}", "has no $version, so all versions have the same name", remedy, text)


def _roles(backends: Raw) -> Iterator[Fault]:
    """Two roles are two Services; one thing says the version; images are set where Deployments are known."""
    roles = mapping(backends.get("roles"))
    if "stable" in roles and roles.get("stable") == roles.get("candidate"):
        remedy = "give each role a Service of its own"
        yield Fault("backends.roles.candidate", "is the stable Service", remedy, roles["candidate"])
    if "versionLabel" in roles and "versionImage" in roles:
        remedy = "keep one of them"
        yield Fault("backends.roles.versionImage", "says the version, and versionLabel does too", remedy)
    if roles.get("promotion") == "swap" and "deployment" not in backends:
        remedy = "name them, such as deployment: $service"
        yield Fault("backends.roles.promotion", "sets images of Deployments, and none are named", remedy, "swap")


def _reference(raw: Raw, backends: Raw) -> Iterator[Fault]:
    """What is no Service has no endpoints: its Deployment says which pods are ready, in the Rollout's namespace."""
    if "reference" not in backends or "endpoints" in backends:
        return
    if "deployment" not in backends:
        remedy = "name the Deployment whose pods are behind it, such as deployment: $name-$version"
        yield Fault("backends.deployment", "is missing: without a Service it says which pods are ready", remedy)
    for key in ("subset", "roles", "namespace"):
        if key in backends:
            yield Fault(f"backends.{key}", "goes with Services, and reference names another kind", "remove one of them")
    for index, route in enumerate(items(raw.get("routes"))):
        if "virtualService" in mapping(route):
            remedy = "split an httpRoute or a grpcRoute"
            yield Fault(f"routes[{index}].virtualService", "names hosts, and reference names another kind", remedy)


def _subsets(raw: Raw, backends: Raw) -> Iterator[Fault]:
    """Subsets are of one Service that all versions share, and only Istio's routes know them."""
    if "subset" not in backends or "endpoints" in backends:
        return
    service = backends.get("service")
    if named := [key for key in ("versions", "roles") if key in backends]:
        remedy = f"remove {named[0]}, and name the Service that they share in service; or remove subset"
        yield Fault("backends.subset", "tells versions of one Service apart, and each has its own", remedy)
    elif isinstance(service, str) and "version" in template_names(service):
        remedy = "name the one Service that all versions share; or remove subset"
        yield Fault("backends.service", "has $version, and subset tells versions apart already", remedy, service)
    for index, route in enumerate(items(raw.get("routes"))):
        kinds = [kind for kind in ("httpRoute", "grpcRoute", "envoy") if kind in mapping(route)]
        if kinds:
            remedy = "give each version a Service of its own, or split a virtualService"
            yield Fault(f"routes[{index}].{kinds[0]}", "knows no subsets: those are Istio's", remedy)


def _one_service_each(services: Raw) -> Iterator[Fault]:
    """Two versions with one Service cannot be told apart."""
    known: dict[Any, str] = {}
    for version, service in services.items():
        if isinstance(service, str) and service in known:
            message = f"is the Service of {known[service]} already"
            yield Fault(f"backends.versions.{version}", message, "give each version a Service of its own", service)
        elif isinstance(service, str):
            known[service] = str(version)


TIMEOUT_MAX_S = 30.0
"""So long one Prometheus may hold a worker that others wait for."""


def bounded(raw: Raw) -> Iterator[Fault]:
    """Nothing waits longer than others can bear."""
    prometheus = mapping(mapping(raw.get("metrics")).get("prometheus"))
    timeout = number(duration_s, prometheus.get("timeout"))
    if timeout is not None and not 0 < timeout <= TIMEOUT_MAX_S:
        remedy = "write 1s to 30s; what takes longer than that is a recording rule's work"
        yield Fault("metrics.prometheus.timeout", "is out of bounds", remedy, prometheus["timeout"])
    if number(duration_s, prometheus.get("staleAfter")) == 0:
        remedy = "write how old a sample may be, such as 2m; it is older than the scrape interval"
        yield Fault("metrics.prometheus.staleAfter", "lets no sample count", remedy, prometheus["staleAfter"])


def one_place(raw: Raw) -> Iterator[Fault]:
    """Services are routed and measured in a cluster, addresses on this machine; half of each is neither."""
    backends, metrics, routes = mapping(raw.get("backends")), mapping(raw.get("metrics")), items(raw.get("routes"))
    is_cluster = not backends.keys().isdisjoint(IN_A_CLUSTER)
    if "endpoints" in backends and not is_cluster:
        if "prometheus" in metrics and "scrape" not in metrics:
            remedy = "use scrape: the agents' own pages"
            yield Fault("metrics.prometheus", "is for rollouts in a cluster, and the backends are endpoints", remedy)
        if len(routes) > 1:
            yield Fault("routes", "may have at most 1 on one machine", "remove some")
        for index, route in enumerate(routes):
            for kind in sorted(CLUSTER_KINDS & mapping(route).keys()):
                remedy = "use envoy, or backends.service in a cluster"
                yield Fault(f"routes[{index}].{kind}", "is in a cluster, and the backends are endpoints", remedy)
    elif is_cluster and "endpoints" not in backends:
        if "scrape" in metrics and "prometheus" not in metrics:
            remedy = "use prometheus: in a cluster the agents' pages are read by it"
            yield Fault("metrics.scrape", "is for rollouts on one machine, and the backend is a Service", remedy)
        for index, route in enumerate(routes):
            if "envoy" in mapping(route):
                remedy = f"use one of {', '.join(sorted(CLUSTER_KINDS))}"
                yield Fault(f"routes[{index}].envoy", "is on one machine, and the backend is a Service", remedy)
    if "namespace" in backends and any("virtualService" in mapping(route) for route in routes):
        remedy = "keep the Services beside the VirtualService"
        yield Fault("backends.namespace", "needs a grant, and there is none for a VirtualService", remedy)
    seen: set[tuple[str, Any, Any]] = set()
    for index, route in enumerate(routes):
        for kind in sorted(CLUSTER_KINDS & mapping(route).keys()):
            named = mapping(mapping(route)[kind])
            key = (kind, str(named.get("name")), str(named.get("rule")))
            if key in seen:
                yield Fault(f"routes[{index}].{kind}", "is listed twice", "remove one", named.get("name"))
            seen.add(key)


ROLLOUT_RULES: tuple[Rule, ...] = (
    _unions,  # one policy, one metrics source, one kind per route, one way to name a backend
    templates,  # two versions are two Services
    bounded,  # one rollout holds up no other
    one_place,  # all in the cluster, or all on this machine
    endpoints,  # versions can be told apart
    listen,  # where nobody else does
    contract,  # each version says what it reads and writes
    state_store,  # where conversations are, read-only
    conversations,  # what keeps them where they are, and how they are counted
)
