"""Versions that are Services in a cluster: are they there, ready, asleep, and what are they made of?

As watches tell, and read again before an act: what is wrong with them decides whether users are sent there. Raises
ClusterUnavailable where the API does not answer: that says nothing of a version, so nothing is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import (
    DEPLOYMENT,
    SERVICE,
    Kind,
    Object,
    version_of,
)
from rollout.adapters.workloads.autoscalers import Autoscaler, autoscaler_of
from rollout.adapters.workloads.backing import backend_of
from rollout.adapters.workloads.grants import not_granted
from rollout.adapters.workloads.readiness import Readiness, asleep_because
from rollout.adapters.workloads.role_promotion import RolePromotion
from rollout.adapters.workloads.roles import RoleReader
from rollout.adapters.workloads.subsets import labels_of
from rollout.adapters.workloads.workers import unserved_of, workers_of
from rollout.engine.facts import RoleFacts
from rollout.errors import NotFound
from rollout.model.api.naming import Naming
from rollout.model.status.endpoints import Endpoints

NO_PORTS: Mapping[str, tuple[int, ...]] = {}


class ServiceWorkloads:
    """Services and Deployments of one rollout.

    Args:
        route_kinds: the kinds of routes that refer to them.
        roles: who reads what is behind the Services of roles, where there are some.
        identity: who reads what a Deployment is made of.
        refresh: lets everything be read anew; before each act.
        mentioning: returns the objects of a kind in a namespace that have a word, and maybe more; None: all are listed.
    """

    def __init__(
        self,
        api: Api,
        naming: Naming,
        route_kinds: tuple[str, ...],
        may_write: Callable[[], bool] = lambda: True,
        roles: RoleReader | None = None,
        identity: Callable[[Object], Mapping[str, str]] | None = None,
        refresh: Callable[[], None] = lambda: None,
        mentioning: Callable[[Kind, str, str], list[Object]] | None = None,
    ) -> None:
        self._api, self._naming, self._route_kinds, self._may_write = api, naming, route_kinds, may_write
        self._roles, self._identity, self._refresh = roles, identity, refresh
        self._mentioning = mentioning or self._listed
        self._readiness = Readiness(api, naming)
        self._promotion = RolePromotion(api, naming, may_write)

    @property
    def no_backend(self) -> str:
        where = self._naming.services_in
        if self._naming.backends.subset:
            return f"has no subset in {where}: declare it in a DestinationRule, or correct {self._naming.written}"
        if self._roles:
            return f"has no Service: {self._lacking}"
        if self._naming.backends.reference:
            return f"has no Deployment in {where} behind its {self._naming.kind}: create it, or correct spec.backends"
        if self._naming.backends.versions:
            return f"has no Service in {where}: create it, and add the version to {self._naming.written}"
        return f"has no Service in {where}: create it, or correct {self._naming.written}"

    @property
    def _is_elsewhere(self) -> bool:
        return self._naming.services_in != self._naming.namespace

    def known(self, versions: tuple[str, ...]) -> tuple[str, ...]:
        """Return those that have a Service. Of another namespace nothing is told before it grants it; see `ready`."""
        if self._is_elsewhere and not_granted(self._api, self._naming, self._route_kinds, versions):
            return versions
        if self._naming.backends.subset:
            subsets = ((version, self._naming.subset(version)) for version in versions)
            return tuple(version for version, name in subsets if not labels_of(self._api, self._naming, name)[1])
        named = [version for version in versions if self._naming.service(version)]
        return tuple(version for version in named if backend_of(self._api, self._naming, version) is not None)

    def ready(self, versions: tuple[str, ...], ports: Mapping[str, tuple[int, ...]] = NO_PORTS) -> Mapping[str, str]:
        """Return, by version, an empty text or what is wrong, and what to do.

        Args:
            ports: by version, of the routes.
        """
        problems = {
            version: self._not_named(version)
            or (self._roles.problem(self._naming.service(version), version) if self._roles else "")
            or self._not_told_apart(version)
            or not_granted(self._api, self._naming, self._route_kinds, (version,))
            or self._readiness.problem(version, ports.get(version, ()), self._sleeps)
            or self._promotion.problem(version)
            for version in versions
        }
        for stable, other in combinations(versions, 2):  # who comes later is told: the stable version comes first
            problems[other] = problems[other] or self._readiness.shared(stable, other)
        return problems

    def _not_named(self, version: str) -> str:
        """Say that Services are named one by one, and that this version's is not."""
        if self._naming.service(version):
            return ""
        if self._roles:
            return f"{version} has no Service: {self._lacking}"
        return f"{version} is not in {self._naming.written}: add it"

    @property
    def _lacking(self) -> str:
        """Say that a version is behind no role's Service, and what stands in the way, as far as it is known."""
        return "; ".join((self._naming.lacking, *(self._roles.problems if self._roles else ())))

    def roles(self) -> RoleFacts | None:
        """Return what is behind each role's Service; None where there are no roles."""
        return RoleFacts(self._roles.versions, self._roles.ready) if self._roles else None

    def _not_told_apart(self, version: str) -> str:
        """Say which other version has the same Service: 1.4.2 and 1-4-2 do."""
        backend = self._naming.backend(version)
        others = [
            other for other in self._naming.versions if other != version and self._naming.backend(other) == backend
        ]
        what = "backend, the" if self._naming.backends.subset else "Service,"
        return f"{version} and {others[0]} have one {what} {backend}: give one of them another name" if others else ""

    def _sleeps(self, version: str) -> str:
        """Say why a version has no pod, where that is for its Deployment's replicas."""
        deployment = self._deployment(version)
        is_asleep = deployment is not None and _replicas(deployment) == 0
        return asleep_because(self._autoscaler(version)) if is_asleep else ""

    def asleep(self, versions: tuple[str, ...]) -> frozenset[str]:
        """Return those whose Deployment is at 0 replicas and that no autoscaler owns.

        None in another namespace: a grant to route to Services is no right to scale what is behind them.
        """
        if self._is_elsewhere:
            return frozenset()
        sleeping = set()
        for version in versions:
            deployment = self._deployment(version)
            if deployment is not None and _replicas(deployment) == 0 and self._autoscaler(version) is None:
                sleeping.add(version)
        return frozenset(sleeping)

    def endpoints(self, versions: tuple[str, ...]) -> Mapping[str, Endpoints]:
        """Return how many endpoints of each version take requests, and the autoscaler of one that has fewer."""
        counts = {version: self._readiness.count(version) for version in versions}
        most = max(counts.values(), default=0)
        return {version: self._with_autoscaler(version, count, most) for version, count in counts.items()}

    def _with_autoscaler(self, version: str, count: int, most: int) -> Endpoints:
        owner = self._autoscaler(version) if count < most and not self._is_elsewhere else None
        if owner is None or owner.problem:
            return Endpoints(ready=count)
        return Endpoints(ready=count, autoscaler=owner.name, min_replicas=owner.min_replicas)

    def scale_up(self, version: str, like: str) -> None:
        """Scale a sleeping version up to as many replicas as another one has."""
        deployment, model = self._scaled(version), self._deployment(like)
        if deployment is None or _replicas(deployment) > 0:
            return
        self._scale(deployment, max(1, _replicas(model) if model is not None else 1))

    def promote_image(self, version: str) -> None:
        """Roll a version out behind the stable role's Service, where it is ours to change."""
        if not self._is_elsewhere:
            self._refresh()
            self._promotion.carry_out(version)

    def scale_down(self, version: str) -> None:
        """Scale a version to 0 that nothing refers to, where nobody else scales it."""
        deployment = self._scaled(version)
        if deployment is not None and _replicas(deployment) > 0 and self._autoscaler(version) is None:
            self._scale(deployment, 0)

    def _scaled(self, version: str) -> Object | None:
        """Return a version's Deployment as it is now, if it is ours to scale."""
        self._refresh()
        return None if self._is_elsewhere or not self._may_write() else self._deployment(version)

    def _scale(self, deployment: Object, replicas: int) -> None:
        patch = {"metadata": {"resourceVersion": version_of(deployment)}, "spec": {"replicas": replicas}}
        name = deployment["metadata"]["name"]
        self._api.merge(DEPLOYMENT, self._naming.services_in, name, patch, sub="scale")

    def identities(self, versions: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
        """Return the fingerprints of what each version's pods are made of, by its Deployment in our namespace."""
        if self._is_elsewhere or self._identity is None:
            return {}
        deployments = {version: self._deployment(version) for version in versions}
        return {version: self._identity(one) for version, one in deployments.items() if one is not None}

    def workers(self, version: str) -> tuple[str, ...]:
        """Return the Deployments of a version that no Service leads to, in our namespace."""
        if self._is_elsewhere:
            return ()
        deployments = self._mentioning(DEPLOYMENT, self._naming.services_in, self._naming.name)
        unserved = unserved_of(self._naming, version, deployments)
        if not unserved:
            return ()  # of which nobody need know all Services
        services, _ = self._api.list_all(SERVICE, self._naming.services_in)
        return workers_of(unserved, services)

    def _listed(self, kind: Kind, namespace: str, word: str) -> list[Object]:
        del word
        return self._api.list_all(kind, namespace)[0]

    def _autoscaler(self, version: str) -> Autoscaler | None:
        """Return who scales a version: found by its declared Deployment, else by the names of its pods."""
        pods = self._readiness.pods_of(version)
        return autoscaler_of(self._api, self._naming.services_in, self._naming.deployment(version), pods)

    def _deployment(self, version: str) -> Object | None:
        name = self._naming.deployment(version)
        return self._get(DEPLOYMENT, name) if name else None

    def _get(self, kind: Any, name: str) -> Object | None:
        try:
            return self._api.get(kind, self._naming.services_in, name)
        except NotFound:
            return None


def _replicas(deployment: Object) -> int:
    replicas = deployment.get("spec", {}).get("replicas")
    return 1 if replicas is None else int(replicas)
