"""What Envoy is told, as plain data: pure functions, no files.

Clusters and routes are separate files that Envoy watches: writing one and renaming it into place changes traffic
without a restart, and, unlike runtime overrides, survives one.

Weights always add up to 10000 and the stable cluster always stands first, so that raising the candidate's weight only
moves the edge between the two: by the hash of the header, conversations move from stable to candidate and never back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from rollout.adapters.routers.listeners import LOCALHOST, host_and_port
from rollout.engine.effects import SetWeight
from rollout.engine.route_facts import OwnRoute
from rollout.model.units import FULL_BP, object_form

_TYPE = "type.googleapis.com/envoy."
CONNECT_TIMEOUT = "2s"
CLUSTERS, ROUTES, PREVIEW, WAY_BACK = "clusters.json", "routes.json", "preview.json", "way-back.json"
"""The files that Envoy watches: each holds one kind of resource, as Envoy demands. The way back it does not watch."""

IDLE_TIMEOUT = "3600s"
"""An agent may think for long without a byte; Envoy's own default would cut it after five minutes."""


def cluster_name(rollout: str, version: str) -> str:
    """Return the name of a version's cluster, which is also the label of its metrics: a dot would end that early."""
    return f"{rollout}/{object_form(version)}"


def address_of(listen: str) -> dict[str, Any]:
    """Return where something listens, as Envoy's configuration writes it."""
    return _socket_address(*host_and_port(listen))


def _socket_address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def manager(route_config: str, directory: str, file: str) -> dict[str, Any]:
    """Return the connection manager whose routes come from a watched file."""
    return {
        "@type": f"{_TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "conversations",
        "stream_idle_timeout": IDLE_TIMEOUT,
        "rds": {"route_config_name": route_config, "config_source": watched(directory, file)},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}extensions.filters.http.router.v3.Router"},
            }
        ],
    }


def bootstrap(
    rollout: str, listen: str, directory: str, admin: dict[str, Any], preview: str | None = None
) -> dict[str, Any]:
    """Return Envoy's start configuration: its listeners and where its admin page is; the rest comes from files."""
    listeners = [_listener("conversations", listen, manager(rollout, directory, ROUTES))]
    if preview is not None:
        listeners.append(_listener("preview", preview, manager(preview_name(rollout), directory, PREVIEW)))
    return {
        "node": {"id": node_id(rollout), "cluster": "rollout"},
        "admin": {"address": admin},
        # Latency histograms reach the statistics page at each flush; the default of 5 s would blur short samples.
        "stats_flush_interval": "1s",
        "dynamic_resources": {"cds_config": watched(directory, CLUSTERS)},
        "static_resources": {"listeners": listeners},
    }


def own_envoy(rollout: str, directory: str) -> dict[str, Any]:
    """Return what your own Envoy's configuration needs, so that its traffic can be steered through files."""
    connections = manager(rollout, directory, ROUTES)
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}]
    return {"dynamic_resources": {"cds_config": watched(directory, CLUSTERS)}, "filters": filters}


def _listener(name: str, listen: str, connections: dict[str, Any]) -> dict[str, Any]:
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}]}
    return {"name": name, "address": address_of(listen), "filter_chains": [chain]}


def node_id(rollout: str) -> str:
    return f"rollout-{rollout}"


def preview_name(rollout: str) -> str:
    return f"{rollout}/preview"


def watched(directory: str, name: str) -> dict[str, Any]:
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": f"{directory}/{name}", "watched_directory": {"path": directory}},
    }


def clusters(rollout: str, endpoints: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Return one cluster a version. There are no retries: they would repeat an agent's tool calls."""
    return {"resources": [_cluster(cluster_name(rollout, version), urls) for version, urls in endpoints.items()]}


def _cluster(name: str, urls: Iterable[str]) -> dict[str, Any]:
    addresses = [urlsplit(url) for url in urls]
    has_names = not all(_is_local(parts.hostname or "") or _is_ip(parts.hostname or "") for parts in addresses)
    # By default names are asked for IPv6 first, and IPv4 is never tried where that has an answer.
    resolving = {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"} if has_names else {"type": "STATIC"}
    return {
        "@type": f"{_TYPE}config.cluster.v3.Cluster",
        "name": name,
        **resolving,
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {"endpoint": _endpoint(parts.hostname or "", parts.port or 80)} for parts in addresses
                    ]
                }
            ],
        },
    }


def _endpoint(host: str, port: int) -> dict[str, Any]:
    """Return one endpoint. `localhost` is tried over both families: an agent often listens on one of them only."""
    if not _is_local(host):
        return {"address": _socket_address(host, port)}
    other = {"address": _socket_address("::1", port)}
    return {"address": _socket_address("127.0.0.1", port), "additional_addresses": [other]}


def _is_local(host: str) -> bool:
    return host == LOCALHOST or host.endswith(f".{LOCALHOST}")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def routes(rollout: str, header: str, weight: SetWeight) -> dict[str, Any]:
    """Return the one route: everything, split between two clusters by the hash of the conversation's header.

    Requests without the header are split at random. There is no time limit on an answer: agents think. In a preview,
    requests that ask for the candidate by name come first.
    """
    split = [{"name": cluster_name(rollout, weight.stable), "weight": FULL_BP - weight.weight_bp}]
    if weight.candidate is not None:
        split.append({"name": cluster_name(rollout, weight.candidate), "weight": weight.weight_bp})
    assert sum(int(str(cluster["weight"])) for cluster in split) == FULL_BP
    action = {
        "timeout": "0s",
        "weighted_clusters": {"use_hash_policy": True, "clusters": split},
        "hash_policy": [{"header": {"header_name": header}}],
    }
    entries: list[dict[str, Any]] = [{"match": {"prefix": "/"}, "route": action}]
    if weight.preview_header is not None and weight.candidate is not None:
        asked = [{"name": weight.preview_header, "string_match": {"exact": weight.candidate}}]
        candidate = {"cluster": cluster_name(rollout, weight.candidate), "timeout": "0s"}
        entries.insert(0, {"match": {"prefix": "/", "headers": asked}, "route": candidate})
    return _route_configuration(rollout, entries)


def preview_routes(rollout: str, weight: SetWeight) -> dict[str, Any]:
    """Return the preview listener's route: the candidate while there is a preview, else a 503 that says so."""
    entry: dict[str, Any] = {"match": {"prefix": "/"}}
    if weight.preview_header is not None and weight.candidate is not None:
        entry["route"] = {"cluster": cluster_name(rollout, weight.candidate), "timeout": "0s"}
    else:
        entry["direct_response"] = {"status": 503, "body": {"inline_string": "there is no candidate to preview now\n"}}
    return _route_configuration(preview_name(rollout), [entry])


def _route_configuration(name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    host = {"name": "agents", "domains": ["*"], "routes": entries}
    return {
        "resources": [{"@type": f"{_TYPE}config.route.v3.RouteConfiguration", "name": name, "virtual_hosts": [host]}]
    }


def read_routes(rollout: str, dump: Mapping[str, Any], active: Mapping[str, int]) -> OwnRoute:
    """Return what is effective from Envoy's own configuration dump.

    A dump of another shape than ours is a route that somebody else wrote: reachable, with no version known.
    """
    prefix = cluster_name(rollout, "")
    try:
        entries = _entries(dump, rollout)
        action = entries[-1]["route"]
        weighted = action["weighted_clusters"]["clusters"]
        split = [(cluster["name"].removeprefix(prefix), cluster.get("weight", 0)) for cluster in weighted]
        total = sum(share for _, share in split)
        (stable, _), (candidate, share) = split[0], split[1] if len(split) > 1 else (None, 0)
        share_bp = round(FULL_BP * share / total)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        return OwnRoute(name=rollout, reachable=True, problem="the effective route is not one of ours", active=active)
    return OwnRoute(
        name=rollout,
        reachable=True,
        stable=stable,
        candidate=candidate,
        weight_bp=share_bp,
        active=active,
        preview_header=_preview_header(entries),
    )


def _entries(dump: Mapping[str, Any], name: str) -> list[Any]:
    """Return the routes of a configuration by its name: an Envoy of your own may have others. Raises KeyError."""
    for config in dump["configs"]:
        if config["route_config"]["name"] == name:
            return list(config["route_config"]["virtual_hosts"][0]["routes"])
    raise KeyError(name)


def read_preview(rollout: str, dump: Mapping[str, Any]) -> str | None:
    """Return the version that the preview listener leads to; None if to none."""
    try:
        cluster = _entries(dump, preview_name(rollout))[0]["route"]["cluster"]
    except (KeyError, IndexError, TypeError):
        return None
    return str(cluster).removeprefix(cluster_name(rollout, ""))


def _preview_header(entries: list[Any]) -> str | None:
    headers = entries[0].get("match", {}).get("headers", []) if len(entries) > 1 else []
    return str(headers[0].get("name")) if headers else None


def read_active(rollout: str, stats: str) -> dict[str, int]:
    """Return the requests under way by version, from lines like ``cluster.NAME/VERSION.upstream_rq_active: 3``."""
    active = {}
    prefix, suffix = f"cluster.{cluster_name(rollout, '')}", ".upstream_rq_active"
    for line in stats.splitlines():
        name, _, value = line.partition(": ")
        if name.startswith(prefix) and name.endswith(suffix) and value.strip().isdigit():
            active[name[len(prefix) : -len(suffix)]] = int(value)
    return active
