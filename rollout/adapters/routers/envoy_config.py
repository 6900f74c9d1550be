"""What Envoy is told, as plain data: pure functions, no files.

Clusters and routes are separate files that Envoy watches: writing one and renaming it into place changes traffic
without a restart, and, unlike runtime overrides, survives one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from rollout.adapters.routers.listeners import LOCALHOST, host_and_port
from rollout.model.units import object_form

TYPE = "type.googleapis.com/envoy."
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
        "@type": f"{TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "conversations",
        "stream_idle_timeout": IDLE_TIMEOUT,
        "rds": {"route_config_name": route_config, "config_source": watched(directory, file)},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPE}extensions.filters.http.router.v3.Router"},
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


def started_name(rollout: str, version: str) -> str:
    """Return the cluster of a version's started conversations: statistics of new ones stand apart from theirs."""
    return f"{cluster_name(rollout, version)}{STARTED}"


STARTED = "/started"


def clusters(rollout: str, endpoints: Mapping[str, Iterable[str]], *, pinned: bool = False) -> dict[str, Any]:
    """Return one cluster a version. There are no retries: they would repeat an agent's tool calls.

    Args:
        pinned: whether there is a second one for each version's started conversations.
    """
    names = [(cluster_name(rollout, version), urls) for version, urls in endpoints.items()]
    if pinned:
        names += [(started_name(rollout, version), urls) for version, urls in endpoints.items()]
    return {"resources": [_cluster(name, urls) for name, urls in names]}


def _cluster(name: str, urls: Iterable[str]) -> dict[str, Any]:
    addresses = [urlsplit(url) for url in urls]
    has_names = not all(_is_local(parts.hostname or "") or _is_ip(parts.hostname or "") for parts in addresses)
    # By default names are asked for IPv6 first, and IPv4 is never tried where that has an answer.
    resolving = {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"} if has_names else {"type": "STATIC"}
    return {
        "@type": f"{TYPE}config.cluster.v3.Cluster",
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
