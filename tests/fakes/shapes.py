"""Routes as people write them: where each splits, how versions are told apart in it, and what stands around it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rollout.adapters.kubernetes.resources import ENDPOINT_SLICE, HTTP_ROUTE, POD, SERVICE, VIRTUAL_SERVICE, Kind
from tests.fakes import agents

Object = dict[str, Any]

TEMPLATE = {"service": "$name-$version", "deployment": "$name-$version", "port": 8000}
NAMES = {"versions": {"v1": "web", "v2": "web-next"}, "port": 8000}


@dataclass(frozen=True)
class Shape:
    """One way to write a route.

    Attributes:
        route: its entry in spec.routes.
        objects: the routes as they are written, at v1.
        splits: the rules that are shifted: the object's name, the list, and the rule's place in it.
        backends: spec.backends.
        version_of: which version a backend is of.
        services: that must exist beside those of agents.version.
    """

    kind: Kind
    route: Object
    objects: tuple[Object, ...]
    splits: tuple[tuple[str, str, int], ...]
    backends: Object = field(default_factory=lambda: TEMPLATE)
    version_of: Callable[[Object], str] = lambda backend: target(backend)[-2:]
    services: tuple[str, ...] = ()

    def backends_of(self, api: Any, namespace: str, split: tuple[str, str, int]) -> list[Object]:
        name, rules, place = split
        rule = api.get(self.kind, namespace, name)["spec"][rules][place]
        return rule["backendRefs" if rules == "rules" else "route"]

    def shares(self, api: Any, namespace: str, split: tuple[str, str, int] | None = None) -> dict[str, int]:
        """Return what each version gets in a rule, the first one if none is named."""
        total: dict[str, int] = {}
        listed = self.backends_of(api, namespace, split or self.splits[0])
        for backend in listed:
            usual = 1 if self.kind is HTTP_ROUTE else 100 if len(listed) == 1 else 0
            version = self.version_of(backend)
            total[version] = total.get(version, 0) + backend.get("weight", usual)
        return total

    def specs(self, api: Any, namespace: str) -> list[Object]:
        return [copy.deepcopy(api.get(self.kind, namespace, each["metadata"]["name"])["spec"]) for each in self.objects]


def target(backend: Object) -> str:
    return str(backend["destination"]["host"] if "destination" in backend else backend["name"])


def refs(*weighted: tuple[str, int], **more: Any) -> list[Object]:
    return [{"name": name, "port": 8000, "weight": weight, **more} for name, weight in weighted]


def to(*weighted: tuple[str, int], port: int | None = 8000) -> list[Object]:
    number = {"port": {"number": port}} if port else {}
    return [{"destination": {"host": host, **number}, "weight": weight} for host, weight in weighted]


def http_route(*rules: Object) -> Object:
    spec = {"parentRefs": [{"name": "gateway"}], "hostnames": ["agent.example.com"], "rules": list(rules)}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": "HTTPRoute",
        "metadata": {"name": "agent", "labels": {"team": "x"}},
        "spec": spec,
    }


def virtual_service(name: str = "agent", **spec: Any) -> Object:
    metadata = {"name": name, "labels": {"team": "x"}}
    return {"apiVersion": VIRTUAL_SERVICE.api_version, "kind": "VirtualService", "metadata": metadata, "spec": spec}


def at(path: str, backends: list[Object], **more: Any) -> Object:
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": backends, **more}


def _by_subset(backend: Object) -> str:
    return str(backend["destination"]["subset"])


def _named(backend: Object) -> str:
    return {"web": "v1", "web-next": "v2"}[target(backend)]


HTTP = {"httpRoute": {"name": "agent"}}
ISTIO = {"virtualService": {"name": "agent"}}
PAIR = (("agent-v1", 100), ("agent-v2", 0))
SUBSETS = [
    {"destination": {"host": "web", "subset": which}, "weight": weight} for which, weight in (("v1", 100), ("v2", 0))
]
MARKED = [
    {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-arm", "value": which}]}}
    for which in ("a", "b")
]
POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}
CANARY = {"matches": [{"headers": [{"name": "x-beta", "value": "1"}]}], "backendRefs": refs(("agent-v2", 1))}

SHAPES = {
    "one rule without a name": Shape(HTTP_ROUTE, HTTP, (http_route(at("/", refs(*PAIR))),), (("agent", "rules", 0),)),
    "a header rule to one version beside the split": Shape(
        HTTP_ROUTE, HTTP, (http_route(CANARY, at("/", refs(*PAIR))),), (("agent", "rules", 1),)
    ),
    "several rules that split, none named": Shape(
        HTTP_ROUTE,
        HTTP,
        (
            http_route(
                at("/chat", refs(*PAIR)),
                at("/static", [{"name": "files", "port": 80}]),
                at("/tasks", refs(("agent-v1", 9), ("agent-v2", 0))),
            ),
        ),
        (("agent", "rules", 0), ("agent", "rules", 2)),
    ),
    "one Service twice in a rule": Shape(
        HTTP_ROUTE,
        HTTP,
        (
            http_route(
                at(
                    "/",
                    [
                        {**refs(("agent-v1", 30))[0], "filters": [MARKED[0]]},
                        {**refs(("agent-v1", 70))[0], "filters": [MARKED[1]]},
                        {**refs(("agent-v2", 0))[0], "filters": [MARKED[0]]},
                        {**refs(("agent-v2", 0))[0], "filters": [MARKED[1]]},
                    ],
                )
            ),
        ),
        (("agent", "rules", 0),),
    ),
    "names without a template": Shape(
        HTTP_ROUTE,
        HTTP,
        (http_route(at("/", refs(("web", 1), ("web-next", 0)))),),
        (("agent", "rules", 0),),
        NAMES,
        _named,
        ("web", "web-next"),
    ),
    "a backend that is no Service": Shape(
        HTTP_ROUTE,
        HTTP,
        (http_route(at("/", [{**POOL, **each} for each in refs(("agent-v1", 1), ("agent-v2", 0))])),),
        (("agent", "rules", 0),),
        {"service": "$name-$version", "deployment": "$name-$version", "reference": POOL},
    ),
    "a VirtualService by host": Shape(
        VIRTUAL_SERVICE,
        ISTIO,
        (virtual_service(hosts=["agent"], http=[{"route": to(*PAIR)}]),),
        (("agent", "http", 0),),
    ),
    "a VirtualService by subset": Shape(
        VIRTUAL_SERVICE,
        ISTIO,
        (virtual_service(hosts=["web"], http=[{"route": SUBSETS}]),),
        (("agent", "http", 0),),
        {"service": "web", "subset": "$version", "port": 8000},
        _by_subset,
    ),
    "several entries of a VirtualService": Shape(
        VIRTUAL_SERVICE,
        ISTIO,
        (
            virtual_service(
                hosts=["agent"],
                http=[{"match": [{"uri": {"prefix": "/chat"}}], "route": to(*PAIR)}, {"route": to(*PAIR)}],
            ),
        ),
        (("agent", "http", 0), ("agent", "http", 1)),
    ),
    "tcp": Shape(
        VIRTUAL_SERVICE,
        ISTIO,
        (virtual_service(hosts=["agent"], tcp=[{"match": [{"port": 8000}], "route": to(*PAIR)}]),),
        (("agent", "tcp", 0),),
    ),
    "tls": Shape(
        VIRTUAL_SERVICE,
        ISTIO,
        (
            virtual_service(
                hosts=["agent.example.com"],
                tls=[{"match": [{"port": 443, "sniHosts": ["agent.example.com"]}], "route": to(*PAIR)}],
            ),
        ),
        (("agent", "tls", 0),),
    ),
    "http and tcp of one VirtualService": Shape(
        VIRTUAL_SERVICE,
        ISTIO,
        (
            virtual_service(
                hosts=["agent"],
                http=[{"route": to(*PAIR)}],
                tcp=[{"match": [{"port": 9000}], "route": to(*PAIR)}],
            ),
        ),
        (("agent", "http", 0), ("agent", "tcp", 0)),
    ),
    "a delegate": Shape(
        VIRTUAL_SERVICE,
        ISTIO,
        (
            virtual_service(
                hosts=["example.com"],
                http=[
                    {"match": [{"uri": {"prefix": "/files"}}], "delegate": {"name": "files"}},
                    {"match": [{"uri": {"prefix": "/"}}], "delegate": {"name": "talk", "namespace": "default"}},
                ],
            ),
            virtual_service("files", http=[{"route": to(("files", 100))}]),
            virtual_service("talk", http=[{"route": to(*PAIR)}]),
        ),
        (("talk", "http", 0),),
    ),
}


def put(api: Any, shape: Shape, namespace: str, address: str) -> None:
    """Create the routes of a shape, and what they need. address: of the pods."""
    if "reference" in shape.backends:
        for which in ("v1", "v2"):
            pod_alone(api, f"agent-{which}", namespace)
    if "subset" in shape.backends:
        agents.subsets(api, namespace=namespace)
    for which, name in zip(("v1", "v2"), shape.services, strict=False):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}
        api.create(SERVICE, namespace, {**service, "spec": {"ports": [{"port": 8000}]}})
        agents.expose(api, name, {f"agent-{which}": address}, namespace=namespace)
    for raw in shape.objects:
        text = copy.deepcopy(raw)
        for rule in text["spec"].get("http", ()):
            if "namespace" in rule.get("delegate", {}):
                rule["delegate"]["namespace"] = namespace
        api.create(shape.kind, namespace, text)


def pod_alone(api: Any, name: str, namespace: str) -> None:
    """Let a ready pod of a Deployment run behind no Service at all."""
    api.delete(SERVICE, namespace, name)
    api.delete(ENDPOINT_SLICE, namespace, f"{name}-x")
    status = {"podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "True"}]}
    metadata = {"name": name, "labels": {"app": name}}
    api.create(POD, namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status})
