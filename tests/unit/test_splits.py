"""Which rules a route of the spec shifts: all that split between the versions, wherever they stand, chosen once."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import VIRTUAL_SERVICE
from rollout.adapters.routers.kubernetes import KubernetesRouter
from rollout.adapters.routers.route_kinds import ROUTE_KINDS
from rollout.adapters.routers.splits import splits_of
from rollout.engine.effects import SetWeight
from rollout.model.api.conversations import Conversations
from rollout.model.api.routes import ClusterRoute
from rollout.model.status.vocabulary import Reason
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.fakes.shapes import PAIR, SHAPES, at, http_route, refs, to, virtual_service
from tests.unit.test_routes import NAMING, LiveCache

KINDS = {kind.key: kind for kind in ROUTE_KINDS}
BOTH = ("v1", "v2")


def splits(*objects, rule=None, rules=None, versions=BOTH, kind="virtualService"):
    named = {each["metadata"]["name"]: each for each in objects}
    return splits_of(KINDS[kind], ClusterRoute(name="agent", rule=rule), named.get, NAMING, versions, rules or {})


def places(*objects, **more):
    return [(split.route.name, split.dialect.rules) for split in splits(*objects, **more)]


def router(*objects, **more):
    """A router over the first split of some VirtualServices."""
    api = FakeApi(FakeCluster())
    for each in objects:
        api.create(VIRTUAL_SERVICE, "default", each)
    split = splits(*objects)[0]
    return KubernetesRouter(api, LiveCache(api, VIRTUAL_SERVICE), split, NAMING, BOTH, **more), api


def test_each_list_and_each_delegate_that_splits_between_the_versions_is_shifted():
    assert places(*SHAPES["http and tcp of one VirtualService"].objects) == [("agent", "http"), ("agent", "tcp")]
    assert places(*SHAPES["a delegate"].objects) == [("talk", "http")]
    assert places(virtual_service(hosts=["agent"], tcp=[{"name": "raw", "route": to(*PAIR)}]), rule="raw") == [
        ("agent", "tcp")
    ]


def test_a_rule_to_one_version_alone_is_not_shifted_with_those_that_split():
    only = virtual_service(hosts=["agent"], http=[{"route": to(("agent-v2", 100))}, {"route": to(*PAIR)}])
    assert [split.chosen for split in splits(only)] == [None] and len(splits(only, versions=("v1",))) == 1


def test_what_was_chosen_stays_what_it_is_when_rules_change_places_or_others_come():
    shape = SHAPES["several rules that split, none named"]
    route = shape.objects[0]
    first, second = splits(route, kind="httpRoute")
    assert (first.label, second.label) == ("httpRoute/agent", "httpRoute/agent#2")
    rules = {split.label: split.chosen for split in (first, second)}
    turned = http_route(*reversed(route["spec"]["rules"]), at("/late", refs(*PAIR)))
    again = splits(turned, kind="httpRoute", rules=rules)
    assert [(split.label, split.chosen) for split in again] == list(rules.items())
    assert second.is_of(turned["spec"]["rules"][0]) and not second.is_of(turned["spec"]["rules"][2])


def test_rules_that_move_together_are_not_held_against_each_other():
    route = SHAPES["several entries of a VirtualService"].objects[0]
    over, api = router(route)
    lonely = over.observe()
    assert any("sends other requests to agent-v1" in note for note in lonely.notes)
    both = splits(route)
    together = KubernetesRouter(api, over.cache, both[0], NAMING, BOTH, beside=tuple(both[1:])).observe()
    assert together.notes == () and together.elsewhere == ()


def test_a_delegate_of_another_namespace_is_named_and_never_written():
    root = virtual_service(hosts=["example.com"], http=[{"delegate": {"name": "talk", "namespace": "bank"}}])
    over, _ = router(root)
    facts = over.observe()
    assert facts.reason is Reason.ROUTE_REFUSED and "delegates to bank/talk" in facts.problem


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_connections_in_which_nothing_can_be_read_refuse_pins_and_are_split_all_the_same(protocol):
    over, api = router(*SHAPES[protocol].objects, conversations=Conversations.model_validate({"pin": {}}))
    facts = over.observe()
    assert facts.refuses_pins and f"connection of {protocol}" in facts.unpinned and facts.rule.protocol == protocol
    over.apply(SetWeight("v1", "v2", 2500, bases=((over.name, 100),)))
    assert SHAPES[protocol].shares(api, "default") == {"v1": 75, "v2": 25}


@pytest.mark.parametrize(
    ("weight_bp", "shares"), [(100, [0, 1]), (5000, [15, 35]), (3300, [10, 23]), (10_000, [30, 70])]
)
def test_several_places_of_one_version_share_its_weight_as_they_were_found(weight_bp, shares):
    route = virtual_service(
        hosts=["agent"], http=[{"route": to(("agent-v1", 30), ("agent-v1", 70), ("agent-v2", 0), ("agent-v2", 0))}]
    )
    over, api = router(route)
    parts = tuple((over.name, version, of) for version, of in over.observe().parts.items())
    assert parts == ((over.name, "v1", (30, 70)),)
    for bp in (100, weight_bp, 0):  # the proportion is that of the beginning, not what one percent left of it
        over.apply(SetWeight("v1", "v2", bp, bases=((over.name, 100),), parts=parts))
        listed = [each["weight"] for each in api.get(VIRTUAL_SERVICE, "default", "agent")["spec"]["http"][0]["route"]]
        if bp == weight_bp:
            assert listed[2:] == shares
    assert listed == [30, 70, 0, 0]


def test_rules_that_could_not_be_told_apart_again_are_refused_with_what_to_do():
    twins = virtual_service(hosts=["agent"], http=[{"route": to(*PAIR)}, {"route": to(*PAIR)}])
    over, api = router(twins)
    assert (
        "has 2 rules that name both versions (number 1, number 2): name the rule, then set `rule`"
        in over.observe().problem
    )
    assert api.get(VIRTUAL_SERVICE, "default", "agent")["spec"] == twins["spec"]


def test_a_rule_of_another_list_that_stays_behind_is_told():
    half = virtual_service(hosts=["agent"], http=[{"route": to(("agent-v1", 100))}], tcp=[{"route": to(*PAIR)}])
    over, _ = router(half)
    facts = over.observe()
    assert facts.problem == "" and facts.elsewhere == ("v1",)
    assert any("rule number 1 of http sends other requests to agent-v1" in note for note in facts.notes)
