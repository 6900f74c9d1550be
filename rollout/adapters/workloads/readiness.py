"""Which versions take requests: their backends are there, serve the port, and have ready endpoints of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.workloads.autoscalers import Autoscaler
from rollout.adapters.workloads.backing import backend_of, slices_of
from rollout.adapters.workloads.ports import is_ready, not_listening, not_served
from rollout.model.api.naming import Naming


class Readiness:
    """The endpoints of one rollout's versions, each read once a turn.

    Attributes:
        ready: how many endpoints were found to take requests, by version.
        pods: the names of the pods behind them.
    """

    def __init__(self, api: Api, naming: Naming) -> None:
        self._api, self._naming = api, naming
        self.ready: Mapping[str, int] = {}
        self.pods: Mapping[str, frozenset[str]] = {}

    def problem(self, version: str, ports: tuple[int, ...], sleeper: Callable[[str], str]) -> str:
        """Follow the way of a request: the backend's port, the Service's, the endpoints'.

        Args:
            sleeper: returns who scales a version whose Deployment is at 0 replicas, and how it is woken; nothing of
                one that is not.
        """
        naming, service = self._naming, self._naming.service(version)
        where = f"{naming.services_in}/{service}"
        obj = backend_of(self._api, naming, version)
        if obj is None and naming.backends.reference is not None:
            return (
                f"there is no Deployment {naming.services_in}/{naming.deployment(version)} behind {service}: create it"
            )
        if obj is None:
            return f"there is no Service {where}: create it"
        wanted, is_service = self._wanted(ports), naming.backends.reference is None
        if is_service and (problem := not_served(obj, wanted, where)):
            return problem
        slices, unselected = slices_of(self._api, naming, version)
        endpoints = self._note(version, slices)
        if endpoints:
            return not_listening(obj, slices, wanted, where) if is_service else ""
        of = f" of subset {subset}" if (subset := naming.subset(version)) else ""
        if sleeps := sleeper(version):
            return f"{where} has no ready endpoint{of}: {sleeps}"
        selector = "the selector of the Service" if is_service else "its Deployment"
        return unselected or f"{where} has no ready endpoint{of}: check its pods and {selector}"

    def shared(self, one: str, other: str) -> str:
        """Say that a pod is behind two versions: what users get there is counted for both, and weighed for neither."""
        both = self.pods_of(one) & self.pods_of(other)
        if not both:
            return ""
        backends = f"{self._naming.backend(one)} and {self._naming.backend(other)}"
        return f"the pod {min(both)} is behind {backends} both: let the selectors of the two differ by version"

    def count(self, version: str) -> int:
        """Return how many endpoints of a version take requests."""
        if version not in self.ready:
            self._note(version, slices_of(self._api, self._naming, version)[0])
        return self.ready[version]

    def pods_of(self, version: str) -> frozenset[str]:
        """Return the names of the pods that were found behind a version."""
        return self.pods.get(version, frozenset())

    def _note(self, version: str, slices: Iterable[Object]) -> list[Object]:
        endpoints = [one for piece in slices for one in piece.get("endpoints") or () if is_ready(one)]
        ready = len({pod_of(one) or str(one.get("addresses")) for one in endpoints})  # one pod, two families
        self.ready = {**self.ready, version: ready}
        self.pods = {**self.pods, version: frozenset(map(pod_of, endpoints)) - {""}}
        return endpoints

    def _wanted(self, ports: tuple[int, ...]) -> tuple[int, ...]:
        """Return the ports that requests come to: those that the routes name, else the one that is declared."""
        declared = self._naming.backends.port
        return ports or (() if declared is None else (declared,))


def pod_of(endpoint: Object) -> str:
    return str((endpoint.get("targetRef") or {}).get("name", ""))


def asleep_because(owner: Autoscaler | None) -> str:
    """Say who owns a Deployment at 0 replicas, and how it is woken."""
    owned, wakes = (owner, owner.wakes) if owner else ("whoever scales it", "scale it up")
    return f"its Deployment is at 0 replicas, which {owned} owns; {wakes}"
