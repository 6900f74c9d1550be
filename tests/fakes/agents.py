"""Objects of a cluster that runs an agent in versions, for tests: Services, endpoints, Deployments, routes."""

from __future__ import annotations

import contextlib
import copy
import threading

from rollout.adapters.kubernetes.resources import (
    DEPLOYMENT,
    DESTINATION_RULE,
    ENDPOINT_SLICE,
    GRPC_ROUTE,
    HTTP_ROUTE,
    POD,
    POLICY,
    ROLLOUT,
    SERVICE,
    VIRTUAL_SERVICE,
)
from rollout.errors import ClusterUnavailable, NotFound

POLICY_SPEC = {
    "canary": {
        "steps": [{"weight": "10%", "for": "300ms"}, {"weight": "50%", "for": "300ms"}],
        "bake": {"for": "300ms", "atMost": "10m"},
    },
    "kpis": [
        {
            "name": "task-success",
            "preset": "agent-tasks",
            "margin": {"absolute": "5%"},
            "promotionMargin": {"absolute": "20%"},
        }
    ],
    "evidence": {"sampleEvery": "200ms", "warmUp": "0s", "dispersion": "1"},
}


def rollout(url, *, name="agent", version="v1", kind="httpRoute", **spec):
    made = {
        "version": version,
        "backends": {"service": "$name-$version", "deployment": "$name-$version", "port": 8000},
        "routes": [{kind: {"name": name, "rule": "chat"}}],
        "metrics": {"prometheus": {"url": url}},
        "policyRef": {"name": "quick"},
    }
    return {
        "apiVersion": ROLLOUT.api_version,
        "kind": ROLLOUT.kind,
        "metadata": {"name": name},
        "spec": {**made, **spec},
    }


def policy(name="quick", **changes):
    return {
        "apiVersion": POLICY.api_version,
        "kind": POLICY.kind,
        "metadata": {"name": name},
        "spec": {**copy.deepcopy(POLICY_SPEC), **changes},
    }


def route(*, name="agent", weights=(100, 0), versions=("v1", "v2"), kind="httpRoute"):
    """A route with two rules and everything around them that must never be touched."""
    if kind == "virtualService":
        backends = [
            {"destination": {"host": f"{name}-{v}", "port": {"number": 8000}}, "weight": w}
            for v, w in zip(versions, weights, strict=True)
        ]
        spec = {
            "hosts": [name],
            "http": [
                {"name": "health", "route": [{"destination": {"host": "elsewhere"}}]},
                {"name": "chat", "timeout": "30s", "retries": {"attempts": 0}, "route": backends},
            ],
        }
        return {
            "apiVersion": VIRTUAL_SERVICE.api_version,
            "kind": "VirtualService",
            "metadata": {"name": name, "labels": {"team": "x"}},
            "spec": spec,
        }
    backends = [{"name": f"{name}-{v}", "port": 8000, "weight": w} for v, w in zip(versions, weights, strict=True)]
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "x-a", "value": "1"}]}}]
    rules = [
        {"name": "health", "backendRefs": [{"name": "elsewhere", "port": 80}]},
        {"name": "chat", "filters": filters, "backendRefs": backends},
    ]
    of = HTTP_ROUTE if kind == "httpRoute" else GRPC_ROUTE
    metadata = {"name": name, "labels": {"team": "x"}, "annotations": {"kept": "yes"}}
    return {
        "apiVersion": of.api_version,
        "kind": of.kind,
        "metadata": metadata,
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": rules},
    }


def version(
    api, which, *, name="agent", namespace="default", ready=1, replicas=1, image=None, port=8000, address="127.0.0.1"
):
    """Bring a version up: its Service, its endpoints, its Deployment."""
    full = f"{name}-{which}"
    api.create(
        SERVICE,
        namespace,
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": full}, "spec": {"ports": [{"port": 8000}]}},
    )
    endpoints(api, which, name=name, namespace=namespace, ready=ready, port=port, address=address)
    container = {
        "name": "agent",
        "image": image or f"registry/{name}:{which}",
        "env": [{"name": "MODEL", "value": "m"}],
    }
    labels = {"app": full}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"annotations": {"prompt": "1"}, "labels": labels},
            "spec": {"containers": [container]},
        },
    }
    api.create(
        DEPLOYMENT, namespace, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": full}, "spec": spec}
    )


def endpoints(api, which, *, name="agent", namespace="default", ready=1, port=8000, address="127.0.0.1"):
    full = f"{name}-{which}"
    pods = [full, *(f"{full}-{number}" for number in range(1, ready))]
    made = [
        {
            "addresses": [address],
            "conditions": {"ready": ready > 0},
            "targetRef": {"kind": "Pod", "name": pod, "namespace": namespace},
        }
        for pod in pods
    ]
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{full}-x", "labels": {"kubernetes.io/service-name": full}},
        "addressType": "IPv4",
        "endpoints": made,
        "ports": [{"port": port}],
    }
    try:
        found = api.get(ENDPOINT_SLICE, namespace, f"{full}-x")
    except Exception:
        api.create(ENDPOINT_SLICE, namespace, body)
    else:
        api.merge(
            ENDPOINT_SLICE,
            namespace,
            f"{full}-x",
            {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "endpoints": made},
        )


SUBSETS = {"service": "web", "subset": "$version", "deployment": "agent-$version", "port": 8000}
"""The backends of versions that share one Service of Istio's."""


def subsets(api, versions=("v1", "v2"), *, namespace="default", labels=lambda which: {"version": which}):
    """Put versions behind one Service, `web`, told apart by the subsets of a DestinationRule."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 8000}]}}
    api.create(SERVICE, namespace, service)
    listed = [{"name": which, "labels": labels(which)} for which in versions]
    body = {"apiVersion": DESTINATION_RULE.api_version, "kind": "DestinationRule", "metadata": {"name": "web"}}
    api.create(DESTINATION_RULE, namespace, {**body, "spec": {"host": "web", "subsets": listed}})
    for number, which in enumerate(versions, 1):
        behind_web(api, which, f"10.0.0.{number}", namespace=namespace)


def behind_web(api, which, address, *, namespace="default"):
    """Create a ready pod of a version behind the shared Service."""
    name = f"agent-{which}"
    metadata = {"name": name, "labels": {"version": which}}
    spec = {"containers": [{"name": "agent", "image": "registry/agent:1"}]}
    api.create(POD, namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    endpoint = {"addresses": [address], "conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name}}
    metadata = {"name": f"web-{which}", "labels": {"kubernetes.io/service-name": "web"}}
    body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": metadata}
    api.create(ENDPOINT_SLICE, namespace, {**body, "endpoints": [endpoint], "ports": [{"name": "", "port": 8000}]})


ROLES = {"roles": {"stable": "web-stable", "candidate": "web-canary"}, "deployment": "$service", "port": 8000}
"""The backends of versions that change behind two Services."""


def roles(api, versions=("v1", "v2"), *, namespace="default", pods=True):
    """Create the two Services of roles, each with its Deployment, and, if nobody else does, a pod of a version."""
    for service, which in zip(ROLES["roles"].values(), versions, strict=True):
        selector = {"app": service}
        spec = {"ports": [{"port": 8000}], "selector": selector}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service}, "spec": spec}
        api.create(SERVICE, namespace, body)
        template = {
            "metadata": {"labels": {**selector, "version": which}},
            "spec": {"containers": [{"name": "agent", "image": f"registry/agent:{which}"}]},
        }
        spec = {"replicas": 1, "selector": {"matchLabels": selector}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": service}, "spec": spec}
        api.create(DEPLOYMENT, namespace, body)
        if not pods:
            continue
        run(api, service, which, namespace=namespace)


def run(api, service, *versions, namespace="default", ready=True, count=1):
    """Let a role's Service have some pods of each version, and no other."""
    for pod in api.list_all(POD, namespace, labelSelector=f"app={service}")[0]:
        api.delete(POD, namespace, pod["metadata"]["name"])
    names = {
        f"{service}-{which}{'-' * (number > 0)}{number or ''}": which for which in versions for number in range(count)
    }
    for name, which in names.items():
        metadata = {"name": name, "labels": {"app": service, "version": which}}
        spec = {"containers": [{"name": "agent", "image": f"registry/agent:{which}"}]}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
        api.create(POD, namespace, body)
    expose(api, service, dict.fromkeys(names, "10.0.0.1"), namespace=namespace, ready=ready)
    if versions:
        roll_out(api, service, versions[-1], namespace=namespace)


def expose(api, service, pods, *, namespace="default", ready=True):
    """Let a Service have these pods as its endpoints, and no other. pods: their addresses, by name."""
    endpoints = [
        {
            "addresses": [address],
            "conditions": {"ready": ready},
            "targetRef": {"kind": "Pod", "name": name, "namespace": namespace},
        }
        for name, address in pods.items()
    ]
    metadata = {"name": f"{service}-x", "labels": {"kubernetes.io/service-name": service}}
    body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": metadata}
    try:
        api.merge(ENDPOINT_SLICE, namespace, f"{service}-x", {"endpoints": endpoints})
    except NotFound:
        ports = [{"name": "", "port": 8000}]
        api.create(ENDPOINT_SLICE, namespace, {**body, "endpoints": endpoints, "ports": ports})


def roll_out(api, service, which, *, namespace="default"):
    """Let the Deployment behind a role's Service make pods of a version."""
    containers = [{"name": "agent", "image": f"registry/agent:{which}"}]
    template = {"metadata": {"labels": {"version": which}}, "spec": {"containers": containers}}
    api.merge(DEPLOYMENT, namespace, service, {"spec": {"template": template}})


def by_role(made, kind="httpRoute"):
    """Return a route with the Services of the two roles as its backends."""
    rules = made["spec"]["http" if kind == "virtualService" else "rules"]
    backends = rules[1]["route" if kind == "virtualService" else "backendRefs"]
    for backend, service in zip(backends, ROLES["roles"].values(), strict=True):
        (backend["destination"] if kind == "virtualService" else backend).update(
            {"host" if kind == "virtualService" else "name": service}
        )
    return made


def by_subset(made, versions=("v1", "v2")):
    """Return a VirtualService's route with its backends as subsets of one Service."""
    for backend, which in zip(made["spec"]["http"][1]["route"], versions, strict=True):
        backend["destination"] |= {"host": "web", "subset": which}
    return made


class Gateway:
    """Takes routes up as a gateway's controller would: sets their status at each generation. programmed: is told each."""

    def __init__(self, api, kinds=(HTTP_ROUTE, GRPC_ROUTE), programmed=lambda found: None, namespace="default"):
        self.api, self.kinds, self.programmed, self.namespace = api, kinds, programmed, namespace
        self.accepts = self.resolves = True
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(5)

    def _run(self):
        seen = {}
        while not self.stopped.wait(0.03):
            with contextlib.suppress(ClusterUnavailable):  # it goes on once the API answers again
                self._observe(seen)

    def _observe(self, seen):
        for kind in self.kinds:
            for found in self.api.list_all(kind, self.namespace)[0]:
                key = (kind.kind, found["metadata"]["name"])
                state = (found["metadata"]["generation"], self.accepts, self.resolves)
                if seen.get(key) != state:
                    self._take_up(kind, found)
                    seen[key] = state

    def _take_up(self, kind, found):
        self.programmed(found)
        generation = found["metadata"]["generation"]
        told = [
            {
                "type": of,
                "status": "True" if self.accepts and (self.resolves or of != "ResolvedRefs") else "False",
                "reason": of,
                "message": "",
                "observedGeneration": generation,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            for of in ("Accepted", "ResolvedRefs")
        ]
        parents = [
            {"parentRef": parent, "controllerName": "test.dev/gateway", "conditions": told}
            for parent in found["spec"]["parentRefs"]
        ]
        self.api.merge(kind, self.namespace, found["metadata"]["name"], {"status": {"parents": parents}}, sub="status")
