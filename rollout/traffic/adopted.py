"""A router that is a route in the cluster: read from the watch's cache, written by a JSON patch with tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rollout.cluster.api import Api
from rollout.cluster.kinds import GRPC_ROUTE, HTTP_ROUTE, VIRTUAL_SERVICE, Kind, Object, version_of
from rollout.engine.facts import RouteFacts
from rollout.engine.route import SetWeight
from rollout.errors import ClusterUnavailable, Conflict, Forbidden, NotFound, Rejected, RouterUnavailable
from rollout.model.naming import Naming
from rollout.model.routes import ClusterRoute, Route
from rollout.model.status import Reason
from rollout.traffic.gateway import GATEWAY, not_accepted
from rollout.traffic.rule import Dialect, Refused, Rule, find_rule, missing, names_any, operations
from rollout.traffic.virtualservice import ISTIO


class Cache(Protocol):
    """Objects of one kind as last seen. problem: why they may be old, or missing."""

    @property
    def problem(self) -> str: ...

    def get(self, namespace: str, name: str) -> Object | None: ...

    def note(self, found: Object) -> None: ...


@dataclass(frozen=True, slots=True)
class Flavour:
    """One kind of route: where it lives, its words, and what says that it is not in force yet."""

    key: str
    kind: Kind
    dialect: Dialect
    not_accepted: Callable[[Object], str]


FLAVOURS = (
    Flavour("httpRoute", HTTP_ROUTE, GATEWAY, not_accepted),
    Flavour("grpcRoute", GRPC_ROUTE, GATEWAY, not_accepted),
    Flavour("virtualService", VIRTUAL_SERVICE, ISTIO, lambda _: ""),
)


def flavour_of(route: Route) -> tuple[Flavour, ClusterRoute]:
    """Return what kind of route is meant, and which."""
    given = (route.http_route, route.grpc_route, route.virtual_service)
    return next((flavour, each) for flavour, each in zip(FLAVOURS, given, strict=True) if each is not None)


@dataclass(frozen=True)
class AdoptedRouter:
    """One rule of one route. versions: those that the rollout is about, stable first. returning: whether everything is
    to go back to stable: then a rule that was renamed is found by what is in it.
    """

    api: Api
    cache: Cache
    flavour: Flavour
    route: ClusterRoute
    naming: Naming
    versions: tuple[str, ...]
    may_write: Callable[[], bool] = field(default=lambda: True)
    returning: bool = False

    @property
    def name(self) -> str:
        rule = f"/{self.route.rule}" if self.route.rule else ""
        return f"{self.flavour.key}/{self.route.name}{rule}"

    def observe(self) -> RouteFacts:
        """Read the rule as it is in the cache. Never raises."""
        try:
            found, rule = self._find()
        except Refused as refused:
            gone = refused.reason is Reason.ROUTE_NOT_FOUND
            told = str(refused)
            return RouteFacts(
                self.name, reachable=False, is_adopted=True, gone=gone, problem=told, reason=refused.reason
            )
        problem, reason = self._problem(rule)
        waiting = self.flavour.not_accepted(found)
        manages = self.route.manage_backends
        return RouteFacts(
            self.name,
            reachable=True,
            is_adopted=True,
            problem=problem,
            reason=reason,
            shares=rule.shares,
            programmed=not waiting,
            waiting=waiting,
            base=rule.base,
            usual_base=self.flavour.dialect.usual_base,
            managed=manages,
            leftover=manages and sum(1 for each in rule.ours.values() if not each.weight) > 0,
        )

    def apply(self, weight: SetWeight) -> None:
        """Write the two weights, if they are not there yet. Raises RouterUnavailable; the next look tries again."""
        try:
            found, rule = self._find()
            made = operations(
                rule,
                self.flavour.dialect,
                self.naming,
                weight,
                base=weight.base_of(self.name),
                manages=self.route.manage_backends,
                version=version_of(found),
            )
        except Refused as refused:
            raise RouterUnavailable(f"{self.name} {refused}") from refused
        if not made:
            return
        if not self.may_write():
            raise RouterUnavailable(f"{self.name} is left alone: this controller does not lead any more")
        try:
            written = self.api.patch(self.flavour.kind, self.naming.namespace, self.route.name, made)
        except (Conflict, Rejected) as error:
            self._read_anew()  # the watch may be far behind: what it shows would be refused again and again
            raise RouterUnavailable(f"{self.name} has changed meanwhile: {error}") from error
        except ClusterUnavailable as error:
            raise RouterUnavailable(f"{self.name} was not changed, or we cannot know it: {error}") from error
        self.cache.note(written)

    def _find(self) -> tuple[Object, Rule]:
        if self.cache.problem:
            self._read_anew()
        found = self.cache.get(self.naming.namespace, self.route.name)
        if found is None:
            raise self._absent()
        dialect, naming = self.flavour.dialect, self.naming
        try:
            return found, find_rule(found, dialect, naming, self.route.rule, self.versions)
        except Refused:
            if not self.returning:
                raise
        if not names_any(found, dialect, naming, self.versions):
            raise Refused("has no rule with a version of ours any more", Reason.ROUTE_NOT_FOUND)
        return found, find_rule(found, dialect, naming, None, self.versions)

    def _read_anew(self) -> None:
        """Read the route past the cache; where that fails too, the cache is all there is."""
        with contextlib.suppress(ClusterUnavailable):
            self.cache.note(self.api.get(self.flavour.kind, self.naming.namespace, self.route.name))

    def _absent(self) -> Refused:
        """Say why there is no such route: the cache may be empty for many reasons."""
        where = f"{self.naming.namespace}/{self.route.name}"
        try:
            self.cache.note(self.api.get(self.flavour.kind, self.naming.namespace, self.route.name))
        except NotFound:
            return Refused(
                f"there is no {self.flavour.kind.kind} {where}: create it, or correct it", Reason.ROUTE_NOT_FOUND
            )
        except Forbidden as error:
            return Refused(f"{where} may not be read: {error}", Reason.FORBIDDEN)
        except ClusterUnavailable as error:
            return Refused(f"{where} cannot be read: {error}", Reason.ROUTER_DOWN)
        return Refused(f"{where} has just appeared; it is read again", Reason.ROUTER_DOWN)

    def _problem(self, rule: Rule) -> tuple[str, Reason]:
        if rule.others > 0:
            remedy = "give it weight 0, or a rule of its own"
            named = rule.raw.get("name") or rule.index
            told = f"rule {named} also sends traffic to a backend that is no version of ours: {remedy}"
            return told, Reason.ROUTE_REFUSED
        if not self.route.manage_backends:
            absent = missing(rule, self.flavour.dialect, self.naming, self.versions)
            if absent:
                return absent, Reason.BACKEND_NOT_FOUND
        return "", Reason.ROUTER_DOWN
