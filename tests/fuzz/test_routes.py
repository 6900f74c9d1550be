"""Routes, however odd: read, or a problem of their own; and nothing is written where they cannot be read."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given

from rollout.adapters.kubernetes.resources import ENDPOINT_SLICE, SERVICE
from rollout.adapters.routers.kubernetes import KubernetesRouter
from rollout.adapters.routers.route_kinds import ROUTE_KINDS
from rollout.adapters.routers.splits import only_split
from rollout.adapters.workloads.service_urls import endpoint_urls
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.engine.effects import LeaveRoute, SetWeight
from rollout.engine.facts import ResourceFacts
from rollout.engine.ports import Ports
from rollout.errors import ClusterUnavailable
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.api.routes import ClusterRoute
from rollout.runtime.observation import Observation
from tests.fakes import agents
from tests.fuzz.odd import changed, fuzz, tame, values

NAMING = Naming("agent", "default", Backends(service="$name-$version", deployment="$name-$version", port=8000))


class OneObject:
    """A cache, and an API, with one object; it keeps what is written."""

    problem, manager = "", "rollout"

    def __init__(self, obj):
        self.obj, self.written = obj, []

    def get(self, *_):
        return copy.deepcopy(self.obj)

    def list_all(self, *_, **__):
        return [copy.deepcopy(self.obj)], "1"

    def note(self, _):
        pass

    def patch(self, _kind, _namespace, _name, operations):
        self.written.append(operations)
        return copy.deepcopy(self.obj)

    def merge(self, *_, **__):
        self.written.append("merged")
        return copy.deepcopy(self.obj)


def route_of(kind):
    made = agents.route(kind=kind)
    made["metadata"] |= {"namespace": "default", "resourceVersion": "7", "generation": 1, "uid": "u"}
    return made


def router_over(kind, obj):
    place = OneObject(obj)
    route_kind = next(known for known in ROUTE_KINDS if known.key == kind)
    route = ClusterRoute(name="agent", rule="chat", manage_backends=True)
    return KubernetesRouter(place, place, only_split(route_kind, route), NAMING, ("v1", "v2")), place


@pytest.mark.parametrize("kind", ["httpRoute", "grpcRoute", "virtualService"])
def test_an_odd_route_is_read_or_is_its_own_trouble(kind):
    """As a turn reads it: what this code did not foresee is told too, and no weight is written into what it cannot read."""

    @fuzz
    @given(changed(route_of(kind)["spec"], times=2) | values)
    def odd(spec):
        router, place = router_over(kind, {**route_of(kind), "spec": spec})
        observation = Observation(Ports.__new__(Ports), ResourceFacts(), {f"route {router.name}"})
        with tame():
            facts = observation._route(router)
            assert facts.reachable or facts.problem
            if not facts.reachable or facts.reason == "RouteRefused":
                for act in (
                    lambda: router.apply(SetWeight("v1", "v2", 1000)),
                    lambda: router.leave(LeaveRoute(router.name)),
                ):
                    try:
                        act()
                    except Exception as error:
                        assert not place.written, f"written, and then {error!r}"

    odd()


SERVICE_SPEC = {
    "ports": [{"name": "http", "port": 8000, "targetPort": 8000, "protocol": "TCP"}],
    "selector": {"app": "a"},
}
SLICE = {
    "addressType": "IPv4",
    "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
    "endpoints": [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "p"}}
    ],
}


class Workload(OneObject):
    """A Service and its endpoints."""

    def __init__(self, service, endpoint_slice):
        super().__init__(service)
        self.slice = endpoint_slice

    def list_all(self, kind, *_, **__):
        return ([copy.deepcopy(self.slice)] if kind is ENDPOINT_SLICE else []), "1"

    def get(self, kind, *_):
        return copy.deepcopy(self.obj) if kind is SERVICE else {"metadata": {"name": "x"}, "spec": {"replicas": 1}}


@fuzz
@given(changed(SERVICE_SPEC) | values, changed(SLICE, times=2))
def test_an_odd_service_is_read_or_is_malformed(spec, endpoint_slice):
    obj = {"kind": "Service", "metadata": {"name": "agent-v2"}, "spec": spec}
    place = Workload(obj, endpoint_slice)
    with tame():
        try:
            told = ServiceWorkloads(place, NAMING, ("HTTPRoute",)).ready(("v2",), {"v2": (8000,)})
            assert set(told) == {"v2"}
        except (TypeError, AttributeError, KeyError, ValueError, IndexError) as error:
            raise ClusterUnavailable(f"as Observation tells it: {type(error).__name__}") from error
    with tame():
        try:
            addresses = endpoint_urls(place, NAMING, ("HTTPRoute",))("v2")
            assert all(address.startswith("http://") for address in addresses)
        except (TypeError, AttributeError, KeyError, ValueError, IndexError) as error:
            raise ClusterUnavailable(f"as StateCollector tells it: {type(error).__name__}") from error
