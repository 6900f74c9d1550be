"""What is behind a version's Service, ready or not: whose series a metric counts is told by it."""

from __future__ import annotations

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.workloads.backing import slices_of
from rollout.adapters.workloads.readiness import pod_of
from rollout.errors import ClusterUnavailable
from rollout.model.api.naming import Naming


def pods_behind(api: Api, naming: Naming, version: str) -> Pods:
    """Return the pods of a version. Never raises: what cannot be asked is a problem."""
    service, namespace = naming.service(version), naming.services_in
    try:
        slices, problem = slices_of(api, naming, version)
        if problem and naming.backends.subset:
            return Pods(service, namespace, problem=problem)
        endpoints = [endpoint for piece in slices for endpoint in piece.get("endpoints") or ()]
        names = frozenset(map(pod_of, endpoints)) - {""}
        addresses = frozenset(str(address) for endpoint in endpoints for address in endpoint.get("addresses") or ())
    except (ClusterUnavailable, AttributeError, TypeError) as error:
        return Pods(service, namespace, problem=f"the endpoints of {namespace}/{service} cannot be read: {error}")
    return Pods(service, namespace, names, addresses)
