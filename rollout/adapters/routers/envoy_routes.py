"""Envoy's routes as plain data, and what is read back of them: pins, the split, the preview. Pure functions.

Weights always add up to 10000 and the stable cluster always stands first, so that raising the candidate's weight only
moves the edge between the two: by the hash of the header, conversations move from stable to candidate and never back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.adapters.routers.envoy_config import STARTED, TYPE, cluster_name, preview_name, started_name
from rollout.adapters.routers.pinning import HeaderMatch, pin_match, response_header, started_match
from rollout.engine.effects import SetWeight
from rollout.engine.route_facts import OwnRoute
from rollout.model.api.conversations import Conversations
from rollout.model.status.conversations import Pins
from rollout.model.units import FULL_BP


def routes(rollout: str, conversations: Conversations, weight: SetWeight) -> dict[str, Any]:
    """Return the routes: started conversations to their versions, all else split between two clusters by the hash of
    the conversation's header.

    Requests without the header are split at random. There is no time limit on an answer: agents think. In a preview,
    requests that ask for the candidate by name come first.
    """
    split = [_share(rollout, conversations, weight.stable, FULL_BP - weight.weight_bp)]
    if weight.candidate is not None:
        split.append(_share(rollout, conversations, weight.candidate, weight.weight_bp))
    assert sum(int(str(cluster["weight"])) for cluster in split) == FULL_BP
    header = conversations.pin_by.header
    action = {
        "timeout": "0s",
        "weighted_clusters": {"use_hash_policy": True, "clusters": split},
        "hash_policy": [{"header": {"header_name": header}}],
    }
    entries: list[dict[str, Any]] = [
        *_pinned(rollout, conversations, weight),
        {"match": {"prefix": "/"}, "route": action},
    ]
    if weight.preview_header is not None and weight.candidate is not None:
        asked = [{"name": weight.preview_header, "string_match": {"exact": weight.candidate}}]
        candidate = {"cluster": cluster_name(rollout, weight.candidate), "timeout": "0s"}
        entries.insert(0, {"match": {"prefix": "/", "headers": asked}, "route": candidate})
    return _route_configuration(rollout, entries)


def _share(rollout: str, conversations: Conversations, version: str, weight_bp: int) -> dict[str, Any]:
    """Return a version's share of new conversations; what begins here is given its pin, unless the agent gave one."""
    share: dict[str, Any] = {"name": cluster_name(rollout, version), "weight": weight_bp}
    if (given := response_header(conversations, version)) is not None:
        name, value = given
        action = "APPEND_IF_EXISTS_OR_ADD" if name == "set-cookie" else "ADD_IF_ABSENT"
        share["response_headers_to_add"] = [{"header": {"key": name, "value": value}, "append_action": action}]
    return share


def _pinned(rollout: str, conversations: Conversations, weight: SetWeight) -> list[dict[str, Any]]:
    """Return the routes of started conversations: those with a pin first, then those that only have an id."""
    entries = [
        _entry(PIN_ROUTE, version, started_name(rollout, version), pin_match(conversations, version))
        for version in weight.pins.versions
    ]
    if (started := weight.pins.started) is not None:
        entries.append(_entry(STARTED_ROUTE, started, started_name(rollout, started), started_match(conversations)))
    return entries


PIN_ROUTE, STARTED_ROUTE = "pin/", "started/"
"""Before the version in the name of a route: what is effective is read back by these names."""


def _entry(kind: str, version: str, cluster: str, match: HeaderMatch) -> dict[str, Any]:
    value = {"safe_regex": {"regex": match.value}} if match.is_regex else {"exact": match.value}
    return {
        "name": f"{kind}{version}",
        "match": {"prefix": "/", "headers": [{"name": match.name, "string_match": value}]},
        "route": {"cluster": cluster, "timeout": "0s"},
    }


def _read_pins(entries: list[Any]) -> Pins:
    names = [str(entry.get("name", "")) for entry in entries]
    started = [name.removeprefix(STARTED_ROUTE) for name in names if name.startswith(STARTED_ROUTE)]
    return Pins(
        versions=tuple(name.removeprefix(PIN_ROUTE) for name in names if name.startswith(PIN_ROUTE)),
        started=started[0] if started else None,
    )


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
        "resources": [{"@type": f"{TYPE}config.route.v3.RouteConfiguration", "name": name, "virtual_hosts": [host]}]
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
        pins=_read_pins(entries),
    )


def split_of(content: Any) -> Any:
    """Return how written routes split new conversations; None where they are not ours."""
    try:
        return content["resources"][0]["virtual_hosts"][0]["routes"][-1]
    except (KeyError, IndexError, TypeError):
        return None


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
    if len(entries) < 2 or entries[0].get("name"):
        return None  # ours have names: this one asks for a version by another header
    headers = entries[0].get("match", {}).get("headers", [])
    return str(headers[0].get("name")) if headers else None


def read_active(rollout: str, stats: str) -> dict[str, int]:
    """Return the requests under way by version, from lines like ``cluster.NAME/VERSION.upstream_rq_active: 3``."""
    active: dict[str, int] = {}
    prefix, suffix = f"cluster.{cluster_name(rollout, '')}", ".upstream_rq_active"
    for line in stats.splitlines():
        name, _, value = line.partition(": ")
        if name.startswith(prefix) and name.endswith(suffix) and value.strip().isdigit():
            version = name[len(prefix) : -len(suffix)].removesuffix(STARTED)
            active[version] = active.get(version, 0) + int(value)
    return active
