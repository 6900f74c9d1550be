"""Grants: whether another namespace lets routes of this one refer to its Services."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import REFERENCE_GRANT, REFERENCE_GRANT_V1, Object
from rollout.errors import NotFound
from rollout.model.api.naming import Naming

CORE = (None, "", "core")
"""How the group of Services is written."""


def not_granted(api: Api, naming: Naming, route_kinds: Iterable[str], versions: Iterable[str]) -> str:
    """Say which grant is missing where the Services are in another namespace than the routes; empty if none is.

    Raises ClusterUnavailable.

    Args:
        route_kinds: the kinds of routes that refer to them.
    """
    if naming.services_in == naming.namespace:
        return ""
    grants = _all(api, naming.services_in)
    services = list(map(naming.service, versions))
    for kind in route_kinds:
        for service in services:
            if not any(_grants(grant, kind, naming.namespace, service) for grant in grants):
                message = f"no ReferenceGrant in {naming.services_in} lets a {kind} of {naming.namespace} refer to"
                return f"{message} the Service {service}: create one there"
    return ""


def _all(api: Api, namespace: str) -> list[Object]:
    """Return the grants there are; newer clusters may have done away with the older version."""
    for kind in (REFERENCE_GRANT, REFERENCE_GRANT_V1):
        try:
            return api.list_all(kind, namespace)[0]
        except NotFound:
            continue
    return []


def _grants(grant: Object, kind: str, namespace: str, service: str) -> bool:
    spec = grant.get("spec") or {}
    group = "gateway.networking.k8s.io"
    allowed = any(
        (entry.get("group"), entry.get("kind"), entry.get("namespace")) == (group, kind, namespace)
        for entry in spec.get("from") or ()
    )
    return allowed and any(
        entry.get("group") in CORE and entry.get("kind") == "Service" and entry.get("name") in (None, "", service)
        for entry in spec.get("to") or ()
    )
