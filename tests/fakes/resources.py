"""The kinds that the fake API server serves, and how it refuses."""

from __future__ import annotations

import copy

from tests.fakes import schemas


class Resource:
    """One kind as the server knows it. custom: whether it is by a definition, with its schema and status apart."""

    def __init__(self, kind, plural, group, schema=None, *, versions=("v1",), custom=True, status=True):
        self.kind, self.plural, self.group, self.versions = kind, plural, group, versions
        self.schema, self.custom, self.status = schema or schemas.FREE, custom, status


USUAL = (
    Resource("Widget", "widgets", "example.dev", schemas.WIDGET),
    Resource("HTTPRoute", "httproutes", "gateway.networking.k8s.io", schemas.HTTP_ROUTE),
    Resource("GRPCRoute", "grpcroutes", "gateway.networking.k8s.io", schemas.HTTP_ROUTE),
    Resource("ReferenceGrant", "referencegrants", "gateway.networking.k8s.io", versions=("v1beta1", "v1")),
    Resource("VirtualService", "virtualservices", "networking.istio.io"),
    Resource("DestinationRule", "destinationrules", "networking.istio.io"),
    Resource("Pod", "pods", "", custom=False),
    Resource("Service", "services", "", custom=False),
    Resource("Secret", "secrets", "", custom=False, status=False),
    Resource("ConfigMap", "configmaps", "", custom=False, status=False),
    Resource("Deployment", "deployments", "apps", custom=False),
    Resource("StatefulSet", "statefulsets", "apps", custom=False),
    Resource("Rollout", "rollouts", "argoproj.io", versions=("v1alpha1",)),
    Resource("Revision", "revisions", "serving.knative.dev"),
    Resource("EndpointSlice", "endpointslices", "discovery.k8s.io", custom=False, status=False),
    Resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", versions=("v2",), custom=False),
    Resource("Lease", "leases", "coordination.k8s.io", custom=False, status=False),
    Resource("Event", "events", "events.k8s.io", custom=False, status=False),
)


def rollout_resources():
    """The kinds of this project, by the definitions it ships."""
    from rollout.model.crd.definitions import definitions

    made = []
    for definition in definitions():
        spec = definition["spec"]
        version = spec["versions"][0]
        schema = copy.deepcopy(version["schema"]["openAPIV3Schema"])
        if unseen := schemas.unseen_by_rules(schema):
            raise ValueError(f"a real server refuses this definition: {unseen}")
        made.append(
            Resource(spec["names"]["kind"], spec["names"]["plural"], spec["group"], schema, versions=(version["name"],))
        )
    return tuple(made)


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, code, reason, message="", details=None, headers=None):
        super().__init__(message)
        self.code, self.headers = code, headers or {}
        self.body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
        self.body |= {"reason": reason, "code": code}
        if details is not None:
            self.body["details"] = details
