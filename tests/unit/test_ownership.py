"""Whose numbers: a Prometheus has the series of many agents, and every one of them has a v1."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.ownership import Owner, foreign_problem, gateway_problem, whose

PODS = Pods("agent-v2", "agents", frozenset({"agent-v2-abc"}), frozenset({"10.0.0.7"}))
OURS = {"namespace": "agents", "pod": "agent-v2-abc"}
OTHERS = {"namespace": "agents", "pod": "other-v2-xyz"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (OURS, Owner.OURS),
        (OTHERS, Owner.FOREIGN),
        ({"namespace": "elsewhere", "pod": "agent-v2-abc"}, Owner.FOREIGN),
        ({"pod": "agent-v2-abc"}, Owner.OURS),
        ({"k8s_namespace_name": "agents", "k8s_pod_name": "agent-v2-abc"}, Owner.OURS),
        ({"instance": "10.0.0.7:8000"}, Owner.OURS),
        ({"instance": "[10.0.0.7]:8000"}, Owner.OURS),
        ({"namespace": "agents", "service": "agent-v2"}, Owner.OURS),
        ({"namespace": "agents", "service": "other-v2"}, Owner.FOREIGN),
        ({"instance": "10.0.0.9:8000"}, Owner.UNKNOWN),
        ({"instance": "agent-v2.agents.svc:8000"}, Owner.OURS),
        ({"instance": "agent-v2.other.svc:8000"}, Owner.UNKNOWN),
        # A pod that has just gone is ours by its Service; a collector's own pod says nothing of the agent's.
        ({"namespace": "agents", "service": "agent-v2", "pod": "agent-v2-gone"}, Owner.OURS),
        (
            {
                "namespace": "monitoring",
                "pod": "collector-0",
                "k8s_namespace_name": "agents",
                "k8s_pod_name": "agent-v2-abc",
            },
            Owner.OURS,
        ),
        ({"exported_namespace": "agents", "exported_pod": "agent-v2-abc", "namespace": "monitoring"}, Owner.OURS),
        ({"version": "v2"}, Owner.UNKNOWN),
    ],
)
def test_a_series_is_told_by_its_pod_its_address_or_its_service(labels, said):
    assert whose(labels, PODS) is said


def test_a_preset_leaves_out_what_another_agent_counts():
    problem, kept = foreign_problem('tasks{version="$version"}', [OURS, OTHERS], PODS, is_preset=True)
    assert problem == "" and kept == [True, False]


def test_a_selector_of_ones_own_that_counts_another_agent_is_refused_with_the_label_to_add():
    problem, _ = foreign_problem('tasks{version="$version"}', [OURS, OTHERS], PODS, is_preset=False)
    assert "also counts another agent" in problem and 'service="$service"' in problem
    assert foreign_problem('tasks{version="$version"}', [OURS], PODS, is_preset=False) == ("", [True])


@pytest.mark.parametrize("is_preset", [True, False])
def test_series_that_do_not_say_whose_they_are_are_refused(is_preset):
    problem, _ = foreign_problem('tasks{version="$version"}', [{"version": "v2"}], PODS, is_preset=is_preset)
    assert "do not say which agent" in problem and "pod, service or instance" in problem


def test_whoever_names_the_service_has_told_whose_series_are_meant():
    selector = 'tasks{app="$name",version="$version"}'
    assert foreign_problem(selector, [{"version": "v2"}, OTHERS], PODS, is_preset=False) == ("", [True, True])


def test_a_router_counts_for_everybody_so_its_counter_must_name_the_service():
    problem, _ = foreign_problem('istio_x{v="$version"}', [OTHERS], PODS, is_preset=False)
    assert "for everybody" in problem
    assert foreign_problem('istio_x{s="$service"}', [OTHERS], PODS, is_preset=False) == ("", [True]), "a router's pod"


def test_endpoints_that_cannot_be_read_are_a_problem_and_no_guess():
    unread = Pods("agent-v2", "agents", problem="may not be read")
    assert foreign_problem('tasks{version="$version"}', [OURS], unread, is_preset=True) == ("may not be read", [])


@pytest.mark.parametrize(
    ("clusters", "kept"),
    [
        (["outbound|8000||agent-v2.agents.svc.cluster.local"], [True]),
        (
            ["outbound|8000||agent-v2.agents.svc.cluster.local", "outbound|8000||agent-v2.other.svc.cluster.local"],
            [True, False],
        ),
        (["agents/agent-v2/8000", "other/agent-v2/8000"], [True, False]),
        (["agents_agent-v2_8000"], [True]),
        (["gw/agent-v2"], [True]),
        (["agent-v2"], [True]),
        (["agents/agent-v22/8000"], [False]),
    ],
)
def test_a_gateways_cluster_is_told_by_the_namespace_beside_the_service(clusters, kept):
    assert gateway_problem(clusters, "agent-v2", "agents") == ("", kept)


def test_clusters_that_nothing_tells_apart_are_refused():
    problem, _ = gateway_problem(["one/agent-v2", "two/agent-v2"], "agent-v2", "agents")
    assert "several clusters" in problem
