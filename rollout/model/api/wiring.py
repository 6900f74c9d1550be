"""What a rollout is carried out with, by where: on one machine, or in a cluster. A spec is one of the two."""

from dataclasses import dataclass

from rollout.errors import Fault, InvalidInput
from rollout.model.api.metrics import Prometheus, Scrape
from rollout.model.api.rollout import Backends, RolloutSpec
from rollout.model.api.routes import EnvoyRoute, Route


@dataclass(frozen=True, slots=True)
class LocalSpec:
    """A rollout on one machine: addresses, an Envoy before them, and their own metrics pages."""

    backends: Backends
    envoy: EnvoyRoute
    scrape: Scrape


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """A rollout in a cluster: Services, the routes to them, and a Prometheus."""

    backends: Backends
    routes: tuple[Route, ...]
    prometheus: Prometheus


def local_spec(spec: RolloutSpec) -> LocalSpec:
    """Return what a local rollout is carried out with. Raises InvalidInput for one that belongs into a cluster."""
    envoy, scrape = spec.routes[0].envoy, spec.metrics.scrape
    if envoy is None or scrape is None:
        remedy = "declare backends.endpoints, an envoy route and metrics.scrape, or apply it to a cluster"
        raise InvalidInput([Fault("spec", "is for a cluster, not for one machine", remedy)])
    return LocalSpec(spec.backends, envoy, scrape)


def cluster_spec(spec: RolloutSpec) -> ClusterSpec:
    """Return what a rollout in a cluster is carried out with. Raises InvalidInput for a local one."""
    prometheus = spec.metrics.prometheus
    if prometheus is None or any(route.envoy is not None for route in spec.routes):
        remedy = "declare backends.service, a route of the cluster and metrics.prometheus, or carry it out on a machine"
        raise InvalidInput([Fault("spec", "is for one machine, not for a cluster", remedy)])
    return ClusterSpec(spec.backends, spec.routes, prometheus)
