"""The kinds of objects this tool reads or writes, and where the API keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Object = dict[str, Any]
"""An object of the API as it came: nothing is lost by passing through a model of ours."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object. All that we touch live in namespaces."""

    kind: str
    plural: str
    group: str
    version: str = "v1"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As RBAC and people name it: `rollouts.rollout.dev`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None, name: str = "", sub: str = "") -> str:
        """Return the URL path of an object, or of a list; no namespace: the whole cluster."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        place = f"/{quote(name, safe='')}" if name else ""
        return f"{root}{within}/{self.plural}{place}" + (f"/{sub}" if sub else "")


ROLLOUT = Kind("Rollout", "rollouts", "rollout.dev", "v1alpha1")
POLICY = Kind("RolloutPolicy", "rolloutpolicies", "rollout.dev", "v1alpha1")
HTTP_ROUTE = Kind("HTTPRoute", "httproutes", "gateway.networking.k8s.io")
GRPC_ROUTE = Kind("GRPCRoute", "grpcroutes", "gateway.networking.k8s.io")
REFERENCE_GRANT = Kind("ReferenceGrant", "referencegrants", "gateway.networking.k8s.io", "v1beta1")
REFERENCE_GRANT_V1 = Kind("ReferenceGrant", "referencegrants", "gateway.networking.k8s.io")
VIRTUAL_SERVICE = Kind("VirtualService", "virtualservices", "networking.istio.io")
DESTINATION_RULE = Kind("DestinationRule", "destinationrules", "networking.istio.io")
POD = Kind("Pod", "pods", "")
SERVICE = Kind("Service", "services", "")
SECRET = Kind("Secret", "secrets", "")
CONFIG_MAP = Kind("ConfigMap", "configmaps", "")
DEPLOYMENT = Kind("Deployment", "deployments", "apps")
ENDPOINT_SLICE = Kind("EndpointSlice", "endpointslices", "discovery.k8s.io")
AUTOSCALER = Kind("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", "v2")
LEASE = Kind("Lease", "leases", "coordination.k8s.io")
EVENT = Kind("Event", "events", "events.k8s.io")


def name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", "default"))


def key_of(obj: Object) -> str:
    """Return `namespace/name`."""
    return f"{namespace_of(obj)}/{name_of(obj)}"


def version_of(obj: Object) -> str:
    """Return the resourceVersion that the object was read at."""
    return str(obj["metadata"].get("resourceVersion", ""))
