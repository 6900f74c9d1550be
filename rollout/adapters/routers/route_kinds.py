"""The kinds of routes in a cluster: where each lives, its words, and what says whether it is effective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.adapters.kubernetes.resources import GRPC_ROUTE, HTTP_ROUTE, VIRTUAL_SERVICE, Kind, Object
from rollout.adapters.routers import gateway_api, istio
from rollout.adapters.routers.gateway_api import GATEWAY, Acceptance
from rollout.adapters.routers.istio import ISTIO, ISTIO_TCP, ISTIO_TLS
from rollout.adapters.routers.rule import RouteDialect
from rollout.model.api.routes import ClusterRoute, Route


@dataclass(frozen=True, slots=True)
class RouteKind:
    """One kind of route: where it lives, its words, and what says whether it is effective.

    Attributes:
        dialect: the words of the list that rules usually stand in.
        others: those of its other lists.
    """

    key: str
    kind: Kind
    dialect: RouteDialect
    acceptance: Callable[[Object], Acceptance]
    others: tuple[RouteDialect, ...] = ()

    @property
    def dialects(self) -> tuple[RouteDialect, ...]:
        return (self.dialect, *self.others)


ROUTE_KINDS = (
    RouteKind("httpRoute", HTTP_ROUTE, GATEWAY, gateway_api.acceptance),
    RouteKind("grpcRoute", GRPC_ROUTE, GATEWAY, gateway_api.acceptance),
    RouteKind("virtualService", VIRTUAL_SERVICE, ISTIO, istio.acceptance, (ISTIO_TLS, ISTIO_TCP)),
)


def route_kind_of(route: Route) -> tuple[RouteKind, ClusterRoute]:
    """Return what kind of route is meant, and which."""
    given = (route.http_route, route.grpc_route, route.virtual_service)
    return next((kind, named) for kind, named in zip(ROUTE_KINDS, given, strict=True) if named is not None)


def route_name(route_kind: RouteKind, route: ClusterRoute) -> str:
    """Return how a route is called in facts, statuses and messages."""
    return f"{route_kind.key}/{route.name}" + (f"/{route.rule}" if route.rule else "")
