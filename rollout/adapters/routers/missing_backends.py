"""What a rule lacks, or has too much of: versions without a backend, and backends of nobody here. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import CAUSES_MAX, RouteDialect, Rule, backends_in, port_of
from rollout.model.api.naming import Naming


def others_in(rule: Rule, dialect: RouteDialect, naming: Naming, ours: Collection[int]) -> tuple[str, str]:
    """Return the names of the backends that get traffic and are none of ours, and why the first one is not.

    Args:
        ours: the places of those that are.
    """
    others = [
        entry
        for index, entry in enumerate(rule.raw.get(dialect.backends) or ())
        if index not in ours and isinstance(entry, dict) and entry.get("weight", dialect.default_weight)
    ]
    names = [str(dialect.target(entry).get(dialect.name_key)) for entry in others]
    cause = next((cause for entry in others if (cause := dialect.why_not(entry, naming))), "")
    return ", ".join(names[:CAUSES_MAX]), cause


@dataclass(frozen=True, slots=True)
class Missing:
    """A version that has no backend in a rule.

    Attributes:
        message: why, and what to do.
        addable: whether adding one mends it.
    """

    message: str
    addable: bool = False


def missing(rule: Rule, dialect: RouteDialect, naming: Naming, versions: tuple[str, ...]) -> Missing | None:
    """Return the first version that has no backend in the rule, if one lacks it.

    Args:
        versions: stable first.
    """
    for version in versions:
        if version in rule.ours:
            continue
        service = naming.service(version)
        if not service:
            return Missing(f"has no backend for {version}: {naming.lacking}")
        alike = [entry for entry in backends_in(rule.raw, dialect) if _is_alike(dialect.target(entry), naming, version)]
        causes = [cause for entry in alike if (cause := dialect.why_not(entry, naming))]
        if causes:
            return Missing(f"has no backend for {version}: {causes[0]}")
        if version == versions[0] and len(versions) > 1:
            return Missing(f"has no backend for {version}, which is stable: put it back")
        patch = json.dumps([addition(rule, dialect, naming, version)])
        remedy = f"add it at weight 0 with kubectl patch --type=json -p '{patch}', or set manageBackends: true"
        return Missing(f"has no backend for {version}: {remedy}", addable=True)
    return None


def _is_alike(target: Object, naming: Naming, version: str) -> bool:
    """Whether a backend may have been meant for a version: it has its Service, or subset, in it."""
    subset = naming.subset(version)
    return (subset if subset and target.get("subset") else naming.service(version)) in str(target)


def addition(rule: Rule, dialect: RouteDialect, naming: Naming, version: str) -> Object:
    """Return the operation of a JSON patch that adds a version's backend at weight 0."""
    path = f"/spec/{dialect.rules}/{rule.index}/{dialect.backends}/-"
    backend = {**dialect.new_backend(version, naming), "weight": 0}
    if naming.backends.port is None and rule.ours:  # nobody says which: the one that the others are on
        first = rule.raw[dialect.backends][next(iter(rule.ours.values())).index]
        if (port := dialect.target(first).get("port")) is not None:
            dialect.target(backend)["port"] = port
    return {"op": "add", "path": path, "value": backend}


def added_ports(rule: Rule, dialect: RouteDialect, naming: Naming, versions: Iterable[str]) -> dict[str, int]:
    """Return, by version without a backend, the port that would be written for it."""
    ports = {}
    for version in versions:
        port = port_of(addition(rule, dialect, naming, version)["value"], dialect)
        if version not in rule.ours and port is not None:
            ports[version] = port
    return ports
