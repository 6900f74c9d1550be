"""Routes of others: read as they are meant, changed in two weights, restored exactly, refused where it cannot be told."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.adapters.kubernetes.resources import GRPC_ROUTE, HTTP_ROUTE, REFERENCE_GRANT, VIRTUAL_SERVICE
from rollout.adapters.routers.gateway_api import acceptance
from rollout.adapters.routers.kubernetes import KubernetesRouter
from rollout.adapters.routers.route_kinds import ROUTE_KINDS
from rollout.adapters.routers.splits import only_split
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.engine.effects import LeaveRoute, SetWeight
from rollout.engine.routes.wanted import is_effective
from rollout.errors import RouterUnavailable
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.api.routes import ClusterRoute
from rollout.model.status.vocabulary import Reason
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.patches import json_patch
from tests.fakes.server import FakeApi

KINDS = {"httpRoute": HTTP_ROUTE, "grpcRoute": GRPC_ROUTE, "virtualService": VIRTUAL_SERVICE}
NAMING = Naming("agent", "default", Backends(service="$name-$version", deployment="$name-$version", port=8000))


class LiveCache:
    """A cache without delay."""

    problem = ""

    def __init__(self, api, kind):
        self.api, self.kind = api, kind

    def get(self, namespace, name):
        try:
            return self.api.get(self.kind, namespace, name)
        except Exception:
            return None

    def note(self, found):
        pass


def router(
    found,
    *,
    kind="httpRoute",
    rule: str | None = "chat",
    versions=("v1", "v2"),
    manages=False,
    naming=NAMING,
    take_up=True,
):
    """A router over one route in a cluster of its own."""
    api = FakeApi(FakeCluster())
    if found is not None:
        api.create(KINDS[kind], "default", found)
        if take_up and kind != "virtualService":
            agents.Gateway(api)._take_up(KINDS[kind], api.get(KINDS[kind], "default", "agent"))
    route_kind = next(known for known in ROUTE_KINDS if known.key == kind)
    route = ClusterRoute(name="agent", rule=rule, manage_backends=manages)
    return KubernetesRouter(api, LiveCache(api, KINDS[kind]), only_split(route_kind, route), naming, versions), api


def weights(api, kind="httpRoute"):
    spec = api.get(KINDS[kind], "default", "agent")["spec"]
    rules = spec["http" if kind == "virtualService" else "rules"]
    return [
        [each.get("weight") for each in rule["route" if kind == "virtualService" else "backendRefs"]] for rule in rules
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_changes_two_numbers_and_nothing_else(kind):
    over, api = router(agents.route(kind=kind), kind=kind)
    before = api.get(KINDS[kind], "default", "agent")
    over.apply(SetWeight("v1", "v2", 1000, bases=((over.name, 1000),)))
    after = api.get(KINDS[kind], "default", "agent")
    ours, path = (
        (after["spec"]["http"][1]["route"], "http")
        if kind == "virtualService"
        else (after["spec"]["rules"][1]["backendRefs"], "rules")
    )
    assert [each["weight"] for each in ours] == [900, 100]
    for each, old in zip(
        ours, before["spec"][path][1]["route" if kind == "virtualService" else "backendRefs"], strict=True
    ):
        each["weight"] = old["weight"]
    assert after["spec"] == before["spec"]
    counted = ("resourceVersion", "generation", "managedFields")
    assert {k: v for k, v in after["metadata"].items() if k not in counted} == {
        k: v for k, v in before["metadata"].items() if k not in counted
    }


@pytest.mark.parametrize(
    ("given", "shares", "base"),
    [
        ((1, 1), (5000, 5000), 2),
        ((9, 1), (9000, 1000), 10),
        ((900, 100), (9000, 1000), 1000),
        ((0, 7), (0, 10000), 7),
        ((0, 0), (0, 0), 0),
    ],
)
def test_weights_are_ratios_and_are_read_as_they_are_meant(given, shares, base):
    over, _ = router(agents.route(weights=given))
    facts = over.observe()
    assert (facts.shares["v1"], facts.shares["v2"]) == shares and facts.base == base
    assert facts.owner == ("v2" if shares[1] == 10000 else None)


def test_in_istio_a_single_destination_has_everything_whatever_its_weight_says():
    over, _ = router(
        agents.route(kind="virtualService", versions=("v1",), weights=(0,)), kind="virtualService", versions=("v1",)
    )
    assert over.observe().owner == "v1"
    over, _ = router(agents.route(versions=("v1",), weights=(0,)), versions=("v1",))
    assert over.observe().owner is None, "in the Gateway API a weight of 0 is no traffic"


@given(
    weight_bp=st.integers(0, 10_000),
    base=st.sampled_from([100, 1000, 10_000, 7]),
    start=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
)
@settings(max_examples=30, deadline=None)
def test_weights_written_always_add_up_to_the_base_and_are_never_all_zero(weight_bp, base, start):
    over, api = router(agents.route(weights=start))
    over.apply(SetWeight("v1", "v2", weight_bp, bases=((over.name, base),)))
    assert sum(weights(api)[1]) == base
    assert over.observe().base == base


def test_what_is_there_already_is_not_written_again():
    over, api = router(agents.route(weights=(900, 100)))
    version = api.get(HTTP_ROUTE, "default", "agent")["metadata"]["resourceVersion"]
    over.apply(SetWeight("v1", "v2", 1000))
    assert api.get(HTTP_ROUTE, "default", "agent")["metadata"]["resourceVersion"] == version


def test_a_route_that_somebody_changed_in_between_is_left_to_the_next_turn():
    over, api = router(agents.route())
    stale = api.get(HTTP_ROUTE, "default", "agent")
    api.merge(HTTP_ROUTE, "default", "agent", {"metadata": {"labels": {"new": "label"}}})
    over.cache.get = lambda *_: stale
    with pytest.raises(RouterUnavailable, match="has changed meanwhile"):
        over.apply(SetWeight("v1", "v2", 1000))
    assert weights(api)[1] == [100, 0]


def test_a_rule_that_moved_is_never_changed_in_its_old_place():
    over, api = router(agents.route())
    found = api.get(HTTP_ROUTE, "default", "agent")
    operations = []
    over.api.patch = lambda kind, namespace, name, made: operations.extend(made) or found
    over.apply(SetWeight("v1", "v2", 1000))
    swapped = copy.deepcopy(found)
    swapped["spec"]["rules"].reverse()
    with pytest.raises(Exception, match="test failed"):
        json_patch(swapped, [each for each in operations if each["path"] != "/metadata/resourceVersion"])


def edited(change):
    found = agents.route()
    change(found["spec"]["rules"])
    return found


def alone(name):
    return {"name": name, "backendRefs": [{"name": "agent-v1", "port": 8000}]}


REFUSED = {
    "no rule of that name": (lambda rules: rules.pop(1), "chat", "has no rule called chat; there is health"),
    "two rules of one name": (lambda rules: rules.append(copy.deepcopy(rules[1])), "chat", "2 rules called chat"),
    "two rules name stable alone": (
        lambda rules: rules.__setitem__(slice(1, None), [alone("a"), alone("b")]),
        None,
        "has 2 rules that name agent-v1 (a, b): name the rule, then set `rule`",
    ),
    "no rule names ours": (lambda rules: rules.pop(1), None, "has no rule with a backend such as agent-v1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_route_whose_rule_cannot_be_told_is_refused(case):
    change, rule, word = REFUSED[case]
    over, api = router(edited(change), rule=rule)
    facts = over.observe()
    assert not facts.reachable and facts.reason is Reason.ROUTE_REFUSED and word in facts.problem
    before = weights(api)
    with pytest.raises(RouterUnavailable):
        over.apply(SetWeight("v1", "v2", 1000))
    assert weights(api) == before


def test_without_a_name_the_only_rule_with_both_versions_is_meant():
    found = edited(lambda rules: rules.append({"backendRefs": [{"name": "agent-v1", "port": 8000}]}))
    over, api = router(found, rule=None)
    over.apply(SetWeight("v1", "v2", 2500, bases=((over.name, 1000),)))
    assert weights(api) == [[1], [750, 250], [1]]


def test_a_missing_backend_is_told_with_the_patch_that_adds_it():
    over, api = router(agents.route(versions=("v1",), weights=(100,)))
    facts = over.observe()
    assert facts.reason is Reason.BACKEND_NOT_FOUND and "no backend for v2" in facts.problem
    patch = json.loads(facts.problem.partition("-p '")[2].partition("'")[0])
    after = json_patch(api.get(HTTP_ROUTE, "default", "agent"), patch)
    assert after["spec"]["rules"][1]["backendRefs"][1] == {"name": "agent-v2", "port": 8000, "weight": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_a_managed_route_gets_the_backend_and_loses_the_old_one_in_the_end(kind):
    over, api = router(agents.route(kind=kind, versions=("v1",), weights=(100,)), kind=kind, manages=True)
    assert over.observe().problem == "" and over.observe().missing == ("v2",)
    preflight = SetWeight("v1", "v2", 0)
    assert not is_effective(preflight, [over.observe()])
    over.apply(preflight)
    assert weights(api, kind)[1] == [100, 0] and over.observe().owned
    over.apply(SetWeight("v1", "v2", 10_000, bases=((over.name, 100),)))
    over.leave(LeaveRoute(over.name, ("v1",)))
    assert weights(api, kind)[1] == [100] and over.observe().owner == "v2"
    assert not over.observe().owned, "its fields are let go of: an owner's server-side apply meets no conflict"


@pytest.mark.parametrize("kind", KINDS)
def test_a_backend_that_gets_traffic_is_never_taken_out(kind):
    over, api = router(agents.route(kind=kind, weights=(60, 40)), kind=kind, manages=True)
    over.leave(LeaveRoute(over.name, ("v1", "v2")))
    assert weights(api, kind)[1] == [60, 40]


def test_a_destination_that_named_no_weight_names_none_again_after_a_rollback():
    found = agents.route(kind="virtualService", versions=("v1",), weights=(100,))
    del found["spec"]["http"][1]["route"][0]["weight"]
    over, api = router(found, kind="virtualService", manages=True)
    facts = over.observe()
    assert facts.owner == "v1" and facts.absent == ("v1",)
    over.apply(SetWeight("v1", "v2", 0))
    assert weights(api, "virtualService")[1] == [100, 0]
    over.apply(SetWeight("v1", "v2", 3000, bases=((over.name, 100),)))
    back = SetWeight("v1", "v2", 0, bases=((over.name, 100),), restores=True)
    over.apply(back)
    assert is_effective(back, [over.observe()]) and weights(api, "virtualService")[1] == [100, 0], "never all zero"
    over.leave(LeaveRoute(over.name, ("v2",), unweighted=("v1",)))
    restored = api.get(VIRTUAL_SERVICE, "default", "agent")["spec"]
    assert restored == found["spec"]


def test_a_third_backend_with_traffic_is_refused_and_one_without_is_not():
    def third(weight):
        return edited(lambda rules: rules[1]["backendRefs"].append({"name": "other", "port": 1, "weight": weight}))

    assert router(third(0))[0].observe().problem == ""
    facts = router(third(5))[0].observe()
    assert facts.reachable and facts.reason is Reason.ROUTE_REFUSED and "no version of this rollout" in facts.problem


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "InferencePool", "group": "inference.networking.k8s.io"},
        {"namespace": "elsewhere"},
        {"port": 9999},
        {"name": "agent-V2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_backend_is_ours_only_by_group_kind_namespace_name_and_port(change):
    found = agents.route()
    found["spec"]["rules"][1]["backendRefs"][1].update(change)
    assert set(router(found)[0].observe().shares) == {"v1"}


def test_a_virtual_service_by_subsets_is_refused_in_words():
    found = agents.route(kind="virtualService")
    found["spec"]["http"][1]["route"][1]["destination"]["subset"] = "x"
    facts = router(found, kind="virtualService")[0].observe()
    assert facts.reason is Reason.BACKEND_NOT_FOUND and "subset x" in facts.problem
    found["spec"]["http"][1]["route"][0]["destination"]["subset"] = "y"
    facts = router(found, kind="virtualService", rule=None)[0].observe()
    assert facts.reason is Reason.ROUTE_REFUSED and "subset y" in facts.problem and "subset x" in facts.problem


@pytest.mark.parametrize("host", ["agent-v2", "agent-v2.default", "agent-v2.default.svc.cluster.local"])
def test_every_way_to_write_a_host_is_understood(host):
    found = agents.route(kind="virtualService")
    found["spec"]["http"][1]["route"][1]["destination"]["host"] = host
    assert set(router(found, kind="virtualService")[0].observe().shares) == {"v1", "v2"}


def test_a_host_of_another_namespace_is_not_ours():
    found = agents.route(kind="virtualService")
    found["spec"]["http"][1]["route"][1]["destination"]["host"] = "agent-v2.other.svc.cluster.local"
    assert set(router(found, kind="virtualService")[0].observe().shares) == {"v1"}


def test_a_route_that_is_not_there_says_so():
    facts = router(None)[0].observe()
    assert not facts.reachable and facts.reason is Reason.ROUTE_NOT_FOUND and "create it" in facts.problem


CONDITIONS = [
    {"type": "Accepted", "status": "True", "observedGeneration": 3},
    {"type": "ResolvedRefs", "status": "True", "observedGeneration": 3},
]


def taken(entries):
    return {
        "metadata": {"generation": 3, "namespace": "default"},
        "spec": {"parentRefs": [{"name": "a"}, {"name": "b", "sectionName": "tls"}]},
        "status": {"parents": entries},
    }


def entry(parent, conditions=CONDITIONS):
    return {"parentRef": parent, "controllerName": "x", "conditions": conditions}


BOTH = [
    entry({"name": "a", "kind": "Gateway", "group": "gateway.networking.k8s.io"}),
    entry({"name": "b", "sectionName": "tls"}),
]


def changed(index, **change):
    return [{**each, **(change if at == index else {})} for at, each in enumerate(CONDITIONS)]


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        (BOTH, ""),
        (BOTH[:1], "reports a status for its parent b"),
        ([], "reports a status"),
        (
            [
                BOTH[0],
                entry({"name": "b", "sectionName": "tls"}, changed(0, status="False", reason="NotAllowedByListeners")),
            ],
            "NotAllowedByListeners",
        ),
        (
            [BOTH[0], entry({"name": "b", "sectionName": "tls"}, changed(0, observedGeneration=2))],
            "about generation 2, and 3 is written",
        ),
        ([BOTH[0], entry({"name": "b", "sectionName": "tls"}, CONDITIONS[:1])], "ResolvedRefs is not known"),
        (
            [
                BOTH[0],
                entry(
                    {"name": "b", "sectionName": "tls"}, [*CONDITIONS, {"type": "PartiallyInvalid", "status": "True"}]
                ),
            ],
            "partially invalid",
        ),
        ([BOTH[0], entry({"name": "b"})], "reports a status for its parent b"),
    ],
)
def test_a_route_is_effective_once_every_parent_has_taken_this_generation_up(entries, word):
    told = acceptance(taken(entries))
    assert told.programmed == (not word) and word in told.message


def test_a_reference_of_another_rule_that_does_not_resolve_is_told_and_holds_nothing_up():
    unresolved = changed(1, status="False", reason="BackendNotFound")
    told = acceptance(taken([BOTH[0], entry({"name": "b", "sectionName": "tls"}, unresolved)]))
    assert told.programmed and told.accepted and "BackendNotFound" in told.message


@pytest.mark.parametrize("observed", [None, 0], ids=["absent", "zero"])
def test_a_controller_that_tells_no_generation_leaves_it_to_the_requests(observed):
    silent = [{**each, "observedGeneration": observed} for each in CONDITIONS]
    if observed is None:
        silent = [{key: value for key, value in each.items() if key != "observedGeneration"} for each in CONDITIONS]
    assert acceptance(taken([entry({"name": "a"}, silent), BOTH[1]])).programmed


@pytest.mark.parametrize(("written", "told"), [("", "core"), ("core", ""), ("", "")])
def test_the_core_group_is_one_however_it_is_written(written, told):
    parent = {"group": written, "kind": "Service", "name": "agent"}
    found = taken([entry({**parent, "group": told})])
    found["spec"]["parentRefs"] = [parent]
    assert acceptance(found).programmed


def test_a_weight_that_no_gateway_has_taken_up_is_written_but_not_in_force():
    over, _ = router(agents.route(), take_up=False)
    over.apply(SetWeight("v1", "v2", 1000, bases=((over.name, 1000),)))
    facts = over.observe()
    assert facts.shares == {"v1": 9000, "v2": 1000} and not facts.programmed
    assert not is_effective(SetWeight("v1", "v2", 1000), [facts])


# -- Services and Deployments ------------------------------------------------------------------------------------------


def workloads(naming=NAMING, kinds=("HTTPRoute",)):
    api = FakeApi(FakeCluster())
    agents.version(api, "v1", replicas=3)
    return ServiceWorkloads(api, naming, kinds), api


def test_a_version_is_ready_with_one_endpoint_that_is():
    over, api = workloads()
    agents.version(api, "v2", ready=0)
    told = over.ready(("v1", "v2", "v3"))
    assert told["v1"] == "" and "no ready endpoint" in told["v2"] and "create it" in told["v3"]
    assert over.known(("v1", "v2", "v3")) == ("v1", "v2")


def test_a_pod_that_is_behind_two_versions_keeps_the_candidate_from_traffic_and_never_accuses_stable():
    api = FakeApi(FakeCluster(), "test")
    for version in ("v1", "v2"):
        agents.version(api, version)
    workloads = ServiceWorkloads(api, NAMING, ("HTTPRoute",))
    assert workloads.ready(("v1", "v2")) == {"v1": "", "v2": ""}
    agents.expose(api, "agent-v2", {"agent-v1": "10.0.0.1", "agent-v2": "10.0.0.2"})
    told = ServiceWorkloads(api, NAMING, ("HTTPRoute",)).ready(("v1", "v2"))
    assert told["v1"] == "" and "the pod agent-v1 is behind agent-v1 and agent-v2 both" in told["v2"]


def test_a_sleeping_version_is_woken_to_as_many_replicas_as_the_other_and_never_scaled_down():
    over, api = workloads()
    agents.version(api, "v2", ready=0, replicas=0)
    assert over.asleep(("v1", "v2")) == {"v2"}
    over.scale_up("v2", "v1")
    replicas = {
        each: api.get(agents.DEPLOYMENT, "default", f"agent-{each}")["spec"]["replicas"] for each in ("v1", "v2")
    }
    assert replicas == {"v1": 3, "v2": 3}
    over.scale_up("v1", "v2")
    assert api.get(agents.DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 3


def test_what_an_autoscaler_owns_is_left_to_it():
    from rollout.adapters.kubernetes.resources import AUTOSCALER

    over, api = workloads()
    agents.version(api, "v2", ready=0, replicas=0)
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "agent-v2"}}
    api.create(
        AUTOSCALER,
        "default",
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": target},
    )
    assert over.asleep(("v2",)) == frozenset()
    assert "the autoscaler h owns" in over.ready(("v2",))["v2"]


def test_services_in_another_namespace_need_a_grant():
    backends = Backends(service="$name-$version", port=8000, namespace="backends")
    over, api = workloads(Naming("agent", "default", backends))
    agents.version(api, "v1", namespace="backends")
    assert "no ReferenceGrant in backends lets a HTTPRoute of default" in over.ready(("v1",))["v1"]
    spec = {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "default"}],
        "to": [{"group": "", "kind": "Service"}],
    }
    api.create(
        REFERENCE_GRANT,
        "backends",
        {
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "ReferenceGrant",
            "metadata": {"name": "g"},
            "spec": spec,
        },
    )
    assert over.ready(("v1",))["v1"] == ""


def test_a_grant_to_route_is_no_right_to_scale_or_to_look_inside():
    over, api = workloads(
        Naming("agent", "default", Backends(service="$name-$version", deployment="$name-$version", namespace="bank"))
    )
    agents.version(api, "v2", namespace="bank", replicas=0, ready=0)
    assert over.asleep(("v2",)) == frozenset() and over.identities(("v2",)) == {}
    over.scale_up("v2", "v1")
    assert api.get(agents.DEPLOYMENT, "bank", "agent-v2")["spec"]["replicas"] == 0
