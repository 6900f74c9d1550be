"""What Envoy is told: weights that always add up, stable first, and a faithful reading of what is effective."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rollout.adapters.routers import envoy_admin
from rollout.adapters.routers.envoy_config import bootstrap, clusters
from rollout.adapters.routers.envoy_routes import read_active, read_routes, routes
from rollout.engine.effects import SetWeight
from rollout.model.api.conversations import Conversations


def split(weight: SetWeight) -> list[tuple[str, int]]:
    action = routes("agent", Conversations(), weight)["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]
    return [(each["name"], each["weight"]) for each in action["weighted_clusters"]["clusters"]]


def dump(weight: SetWeight) -> dict:
    """As Envoy tells it: a weight of 0 is left out of its JSON."""
    config = routes("agent", Conversations(), weight)["resources"][0]
    for each in config["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"]:
        if each["weight"] == 0:
            del each["weight"]
    return {"configs": [{"route_config": config}]}


@given(st.integers(0, 10_000))
def test_weights_add_up_and_read_back_as_they_were_written(bp):
    weight = SetWeight("v1", "v2", bp)
    assert sum(share for _, share in split(weight)) == 10_000
    assert [name for name, _ in split(weight)] == ["agent/v1", "agent/v2"], "stable first, so that only the edge moves"
    facts = read_routes("agent", dump(weight), {})
    assert (facts.stable, facts.candidate, facts.weight_bp) == ("v1", "v2", bp)


def test_without_a_candidate_everything_goes_to_stable():
    assert split(SetWeight("v1")) == [("agent/v1", 10_000)]
    facts = read_routes("agent", dump(SetWeight("v1")), {})
    assert (facts.stable, facts.candidate, facts.weight_bp) == ("v1", None, 0)


def test_a_route_that_somebody_else_wrote_is_read_as_none_of_ours():
    for foreign in ({}, {"configs": []}, {"configs": [{"route_config": {"virtual_hosts": []}}]}, {"configs": None}):
        facts = read_routes("agent", foreign, {})
        assert facts.reachable and facts.stable is None and facts.problem


def test_agents_may_think_for_long_and_are_never_called_twice():
    action = routes("agent", Conversations(), SetWeight("v1"))["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]
    assert action["timeout"] == "0s" and "retry_policy" not in action
    assert action["hash_policy"] == [{"header": {"header_name": "x-thread-id"}}]


def test_a_version_may_have_several_endpoints():
    made = clusters("agent", {"v1": ("http://127.0.0.1:1", "http://host:2/"), "v2": ("http://[::1]:3",)})
    endpoints = made["resources"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
    ports = [each["endpoint"]["address"]["socket_address"]["port_value"] for each in endpoints]
    assert ports == [1, 2]


def test_the_admin_page_is_on_a_socket_that_nobody_else_reaches():
    made = bootstrap("agent", "0.0.0.0:8080", "/state", envoy_admin.address(Path("/state/admin.sock")))
    assert made["admin"]["address"] == {"pipe": {"path": "/state/admin.sock", "mode": 0o600}}


def test_requests_under_way_are_read_by_version():
    text = "cluster.agent/v1.upstream_rq_active: 3\ncluster.agent/v2.upstream_rq_active: 0\ncluster.x.upstream_rq_active: 9\n"
    assert read_active("agent", text) == {"v1": 3, "v2": 0}
