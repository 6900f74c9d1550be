"""Why there is no such route: the cache may be empty for many reasons, and each has another remedy."""

from __future__ import annotations

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import Kind
from rollout.adapters.routers.route_pins import Cache
from rollout.adapters.routers.rule import RuleRefused
from rollout.errors import ClusterUnavailable, Forbidden, NotFound, NotInstalled
from rollout.model.status.vocabulary import Reason


def why_absent(api: Api, cache: Cache, kind: Kind, namespace: str, name: str) -> RuleRefused:
    """Ask for a route past the cache; return why it cannot be used."""
    where = f"{namespace}/{name}"
    try:
        cache.note(api.get(kind, namespace, name))
    except NotInstalled:
        message = f"{kind.kind} of {kind.api_version} is not served here: install or upgrade its definitions"
        return RuleRefused(message, Reason.ROUTE_NOT_FOUND)
    except NotFound:
        return RuleRefused(f"there is no {kind.kind} {where}: create it, or correct it", Reason.ROUTE_NOT_FOUND)
    except Forbidden as error:
        return RuleRefused(f"{where} may not be read: {error}", Reason.FORBIDDEN)
    except ClusterUnavailable as error:
        return RuleRefused(f"{where} cannot be read: {error}", Reason.ROUTER_DOWN)
    return RuleRefused(f"{where} has just appeared; it is read again", Reason.ROUTER_DOWN)
