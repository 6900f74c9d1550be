"""What Envoy is told, as plain data: pure functions, no files.

Clusters and routes are separate files that Envoy watches: writing one and renaming it into place changes traffic
without a restart, and, unlike runtime overrides, survives one.

Weights always add up to 10000 and the stable cluster always stands first, so that raising the candidate's weight only
moves the edge between the two: by the hash of the header, conversations move from stable to candidate and never back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from rollout.engine.facts import RouteFacts
from rollout.engine.route import SetWeight
from rollout.model.units import FULL_BP

_TYPE = "type.googleapis.com/envoy."
CONNECT_TIMEOUT = "2s"
IDLE_TIMEOUT = "3600s"
"""An agent may think for long without a byte; Envoy's own default would cut it after five minutes."""


def cluster_name(rollout: str, version: str) -> str:
    """Return the name of a version's cluster, which is also the label of its metrics."""
    return f"{rollout}/{version}"


def address_of(listen: str) -> dict[str, Any]:
    host, _, port = listen.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def bootstrap(rollout: str, listen: str, directory: str) -> dict[str, Any]:
    """Return Envoy's start configuration: a listener and an admin page on loopback; the rest comes from files."""
    manager = {
        "@type": f"{_TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "conversations",
        "stream_idle_timeout": IDLE_TIMEOUT,
        "rds": {"route_config_name": rollout, "config_source": _watched(directory, "routes.json")},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {
        "node": {"id": node_id(rollout), "cluster": "rollout"},
        "admin": {"address": address_of("127.0.0.1:0")},
        # Latency histograms reach the statistics page at each flush; the default of 5 s would blur short looks.
        "stats_flush_interval": "1s",
        "dynamic_resources": {"cds_config": _watched(directory, "clusters.json")},
        "static_resources": {
            "listeners": [{"name": "conversations", "address": address_of(listen), "filter_chains": [chain]}]
        },
    }


def node_id(rollout: str) -> str:
    return f"rollout-{rollout}"


def _watched(directory: str, name: str) -> dict[str, Any]:
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": f"{directory}/{name}", "watched_directory": {"path": directory}},
    }


def clusters(rollout: str, endpoints: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Return one cluster a version. There are no retries: they would repeat an agent's tool calls."""
    return {"resources": [_cluster(cluster_name(rollout, version), urls) for version, urls in endpoints.items()]}


def _cluster(name: str, urls: Iterable[str]) -> dict[str, Any]:
    addresses = [urlsplit(url) for url in urls]
    return {
        "@type": f"{_TYPE}config.cluster.v3.Cluster",
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {"endpoint": {"address": address_of(f"{parts.hostname}:{parts.port or 80}")}}
                        for parts in addresses
                    ]
                }
            ],
        },
    }


def routes(rollout: str, header: str, weight: SetWeight) -> dict[str, Any]:
    """Return the one route: everything, split between two clusters by the hash of the conversation's header.

    Requests without the header are split at random. There is no time limit on an answer: agents think.
    """
    split = [{"name": cluster_name(rollout, weight.stable), "weight": FULL_BP - weight.candidate_bp}]
    if weight.candidate is not None:
        split.append({"name": cluster_name(rollout, weight.candidate), "weight": weight.candidate_bp})
    assert sum(int(str(each["weight"])) for each in split) == FULL_BP
    action = {
        "timeout": "0s",
        "weighted_clusters": {"use_hash_policy": True, "clusters": split},
        "hash_policy": [{"header": {"header_name": header}}],
    }
    host = {"name": "agents", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": action}]}
    return {
        "resources": [{"@type": f"{_TYPE}config.route.v3.RouteConfiguration", "name": rollout, "virtual_hosts": [host]}]
    }


def read_routes(rollout: str, dump: Mapping[str, Any], active: Mapping[str, int]) -> RouteFacts:
    """Return what is in force from Envoy's own configuration dump.

    A dump of another shape than ours is a route that somebody else wrote: reachable, with no version known.
    """
    prefix = cluster_name(rollout, "")
    try:
        config = dump["configs"][0]["route_config"]
        action = config["virtual_hosts"][0]["routes"][0]["route"]
        weighted = action["weighted_clusters"]["clusters"]
        split = [(each["name"].removeprefix(prefix), each.get("weight", 0)) for each in weighted]
        total = sum(share for _, share in split)
        (stable, _), (candidate, share) = split[0], split[1] if len(split) > 1 else (None, 0)
        share_bp = round(FULL_BP * share / total)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        return RouteFacts(name=rollout, reachable=True, problem="the route in force is not one of ours", active=active)
    return RouteFacts(
        name=rollout, reachable=True, stable=stable, candidate=candidate, candidate_bp=share_bp, active=active
    )


def read_active(rollout: str, stats: str) -> dict[str, int]:
    """Return the requests under way by version, from lines like ``cluster.NAME/VERSION.upstream_rq_active: 3``."""
    found = {}
    prefix, suffix = f"cluster.{cluster_name(rollout, '')}", ".upstream_rq_active"
    for line in stats.splitlines():
        name, _, value = line.partition(": ")
        if name.startswith(prefix) and name.endswith(suffix) and value.strip().isdigit():
            found[name[len(prefix) : -len(suffix)]] = int(value)
    return found
