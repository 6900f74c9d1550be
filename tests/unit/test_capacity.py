"""Capacity before share: the candidate gets no more than its ready endpoints are made for."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import AUTOSCALER, DEPLOYMENT, ENDPOINT_SLICE
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.engine.facts import CheckFact
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.status.endpoints import Endpoints
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.clustered import ClusterWorld
from tests.fakes.server import FakeApi
from tests.world import Behaviour, World, blue_green, policy, shares


def naming(**backends: object) -> Naming:
    made = Backends.model_validate({"service": "agent-$version", "port": 8000, **backends})
    return Naming("agent", "default", made, ("v1", "v2"))


def counted(world: World, stable: int, candidate: int, **autoscaler: object) -> World:
    world.workloads.counted = {"v1": Endpoints(ready=stable), "v2": Endpoints(ready=candidate, **autoscaler)}
    return world


def held(world: World, seconds: float = 3000) -> World:
    world.run(seconds)
    assert world.status.reason is Reason.CAPACITY, world.status.message
    return world


def test_a_step_waits_until_the_candidate_has_the_endpoints_that_stable_would_need_for_it():
    world = held(counted(World(), 10, 2))  # steps of 10 %, 25 %, 50 %
    assert shares(world) == [0, 1000, 2500] and world.status.phase is Phase.SHIFTING
    assert "v2 has 2 ready endpoints, and needs 4 for 50 % of what v1 does with 10" in world.status.message
    assert "scale it up, declare a smaller step (it has enough for 25 %)" in world.status.message
    counted(world, 10, 10)
    world.run(4000, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED and shares(world) == [0, 1000, 2500, 5000, 10_000]


def test_all_traffic_waits_for_the_endpoints_too_and_harm_is_judged_meanwhile():
    world = held(counted(World(), 10, 7), 6000)
    assert world.status.phase is Phase.OBSERVING and "needs 8 for 100 %" in world.status.message
    world.behaviour["v2"] = Behaviour(tasks=0.6)
    world.run(1800, until=Phase.ROLLED_BACK)
    assert world.status.latest.result is Result.ROLLED_BACK


def test_a_switch_waits_for_the_endpoints():
    world = held(counted(blue_green(), 10, 7))
    assert shares(world) == [0] and "needs 8 for 100 %" in world.status.message
    counted(world, 10, 8)
    world.run(60)
    assert shares(world) == [0, 10_000]


def test_how_much_is_enough_is_the_policys_word_and_one_endpoint_is_the_least():
    assert "needs 5 for 50 %" in held(counted(World(policy(capacity={"atLeast": "100%"})), 10, 4)).status.message
    world = counted(World(policy(capacity={"atLeast": "0%"})), 10, 1)
    world.run(6000, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED


def test_an_autoscalers_version_needs_what_it_keeps_at_least_and_is_told_how_far_it_has_to_grow():
    world = counted(World(), 20, 2, autoscaler="agent-v2", min_replicas=2)
    world.run(6000, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED
    messages = " ".join(decision.message for decision in world.status_store.decisions)
    assert (
        "needs 4 for 25 % of what v1 does with 20; its autoscaler agent-v2 has to bring them: a step of 12 %"
        in messages
    )


def test_an_autoscalers_version_that_has_less_than_it_promises_waits():
    world = held(counted(World(), 20, 1, autoscaler="agent-v2", min_replicas=2))
    assert "wait for the minReplicas of its autoscaler agent-v2, 2" in world.status.message and shares(world) == [0]


def test_a_human_may_let_one_move_pass_by_name():
    world = held(counted(World(), 10, 2))
    world.command("promote")
    world.run(3)
    assert not world.status.last_command.accepted and "rollout approve" in world.status.last_command.message
    world.command("approve")
    world.command("approve")
    world.run(30)
    assert shares(world) == [0, 1000, 2500, 5000]
    assert not world.status.last_command.accepted, "said twice it is meant once"
    assert "waived for this one move, by ada: because" in " ".join(one.message for one in world.status_store.decisions)
    assert held(world).status.latest.traffic.wanted_bp == 5000, "the next move waits again"


def test_the_way_back_waits_for_nothing_and_says_that_stable_has_too_few_endpoints():
    world = counted(World(), 10, 10)
    world.run(6000, until=Phase.BAKING)
    counted(world, 2, 10)
    world.run(60)
    world.command("abort")
    world.run(30)
    assert world.status.phase is Phase.ROLLED_BACK and world.router.share_of("v1") == 1.0
    said = "v1 has 2 ready endpoints, and needs 8 for 100 % of what v2 does with 10: scale v1 up"
    assert said in world.status.message


def test_a_rollback_to_a_stable_version_that_has_enough_says_nothing_of_it():
    world = counted(World(), 10, 10)
    world.run(6000, until=Phase.BAKING)
    world.command("abort")
    world.run(30)
    assert world.status.phase is Phase.ROLLED_BACK and "endpoints" not in world.status.message


def test_where_nobody_counts_nothing_waits():
    world = World()
    world.run(6000, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED and world.status.latest.endpoints == {}


@pytest.fixture
def api():
    """A cluster with four endpoints of v1, and one of v2."""
    made = FakeApi(FakeCluster(), "test")
    agents.version(made, "v1", ready=4, replicas=4)
    agents.version(made, "v2")
    return made


def workloads(api, **backends):
    return ServiceWorkloads(api, naming(**backends), ("HTTPRoute",))


def endpoints(api, **backends):
    return workloads(api, **backends).endpoints(("v1", "v2"))


def scaled(api, kind, name, *, owners=()):
    """Let an autoscaler that keeps two replicas own a workload."""
    spec = {"minReplicas": 2, "maxReplicas": 9, "scaleTargetRef": {"kind": kind, "name": name}}
    metadata = {"name": "grows", "ownerReferences": list(owners)}
    body = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
    api.create(AUTOSCALER, "default", body)


def test_ready_endpoints_are_counted_with_the_autoscaler_of_the_version_that_has_fewer(api):
    assert endpoints(api) == {"v1": Endpoints(ready=4), "v2": Endpoints(ready=1)}
    scaled(api, "Deployment", "agent-v2")
    assert endpoints(api, deployment="agent-$version")["v2"] == Endpoints(ready=1, autoscaler="grows", min_replicas=2)
    assert endpoints(api)["v2"].autoscaler == "", "the pod agent-v2 is no pod of the Deployment agent-v2"


@pytest.mark.parametrize(
    ("kind", "name", "pods", "owned"),
    [
        ("Deployment", "agent-v2", ["agent-v2-6d4cf56db6-x7k2p", "agent-v2-6d4cf56db6-b9m4q"], True),
        ("Deployment", "agent", ["agent-v2-6d4cf56db6-x7k2p"], False),
        ("Rollout", "agent-v2", ["agent-v2-6d4cf56db6-x7k2p"], True),
        ("StatefulSet", "agent-v2", ["agent-v2-0", "agent-v2-11"], True),
        ("StatefulSet", "agent", ["agent-v2-0"], False),
    ],
)
def test_an_autoscaler_is_found_by_the_pods_of_what_it_scales(api, kind, name, pods, owned):
    agents.expose(api, "agent-v2", dict.fromkeys(pods, "10.0.0.2"))
    scaled(api, kind, name)
    assert (endpoints(api)["v2"].autoscaler == "grows") is owned


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ([], "kubectl scale deployment/agent-v2 --replicas=2"),
        ([{"kind": "ScaledObject", "name": "agent"}], "set minReplicaCount: 1 in the ScaledObject agent"),
    ],
)
def test_what_an_autoscaler_has_at_zero_is_said_with_how_it_comes_back(api, owners, said):
    api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 0}})
    agents.endpoints(api, "v2", ready=0)
    scaled(api, "Deployment", "agent-v2", owners=owners)
    problem = workloads(api, deployment="agent-$version").ready(("v2",))["v2"]
    assert "which the autoscaler grows owns" in problem and said in problem


def test_a_pod_with_an_address_of_each_family_counts_once(api):
    listed = api.get(ENDPOINT_SLICE, "default", "agent-v1-x")
    again = {**listed, "metadata": {"name": "agent-v1-6", "labels": listed["metadata"]["labels"]}}
    api.create(ENDPOINT_SLICE, "default", {**again, "addressType": "IPv6"})
    assert endpoints(api)["v1"] == Endpoints(ready=4)


def test_in_a_cluster_a_candidate_that_is_too_small_waits_and_goes_on_once_it_is_scaled_up():
    with ClusterWorld() as world:
        world.until(lambda status: status.get("stableVersion") == "v1" and status["phase"] == "Stable")
        agents.endpoints(world.api, "v1", ready=10)
        world.want("v2")
        status = world.until(lambda status: status.get("reason") == "CapacityMissing")
        assert "v2 has 1 ready endpoint, and needs" in status["message"]
        assert {version: counted["ready"] for version, counted in status["endpoints"].items()} == {"v1": 10, "v2": 1}
        world.api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 10}})
        agents.endpoints(world.api, "v2", ready=10)
        world.until(lambda status: status.get("stableVersion") == "v2")


def test_traffic_goes_back_to_the_stable_service_only_once_it_has_the_pods_for_it():
    with ClusterWorld(backends=agents.ROLES) as world:
        world.until(lambda status: status.get("stableVersion") == "v1" and status["phase"] == "Stable")
        world.want("v2")
        world.until(lambda status: status.get("stableVersion") == "v2" and status["phase"] == "Stable")
        world.until(lambda status: (status.get("roleVersions") or {}).get("serving") == "candidate")
        world.runs["web-stable"] = "v2"
        agents.run(world.api, "web-canary", "v2", count=5)
        agents.run(world.api, "web-stable", "v2")
        world.until(lambda status: status.get("next", "").startswith("web-stable needs 3 more ready pods of v2"))
        assert world.shares() == {"web-stable": 0, "web-canary": 100}
        agents.run(world.api, "web-stable", "v2", count=4)
        world.until(lambda status: (status.get("roleVersions") or {}).get("serving") == "stable")
        assert world.shares() == {"web-stable": 100, "web-canary": 0}


def asleep(**changes: object) -> World:
    """A world whose candidate runs no replicas before its release."""
    world = World(policy(**changes)) if changes else World()
    world.workloads.sleeping = {"v2"}
    return world


def is_asleep(world: World) -> bool:
    world.run(900)
    return world.workloads.sleeping == {"v2"} and not world.status.draining


def test_a_candidate_that_was_scaled_up_for_its_release_sleeps_again_after_a_rollback():
    world = asleep()
    world.behaviour["v2"] = Behaviour(tasks=0.6)
    world.run(3000, until=Phase.ROLLED_BACK)
    assert world.status.latest.result is Result.ROLLED_BACK and not world.workloads.sleeping
    assert is_asleep(world)
    messages = [decision.message for decision in world.status_store.decisions]
    assert "v2 was scaled up for its release, and is scaled to 0 again" in messages


def test_so_does_one_that_never_passed_the_preflight():
    world = asleep(gates={"webhooks": [{"name": "evals", "url": "http://evals/run", "when": "before-traffic"}]})
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=False, message="12 of 50 answers right")
    world.run(300, until=Phase.ROLLED_BACK)
    assert world.status.latest.result is Result.STOPPED
    assert is_asleep(world)


def test_so_does_one_that_another_version_takes_the_place_of():
    world = asleep()
    world.run(3000, until=Phase.OBSERVING)
    world.declare(version="v3")
    world.run(60)
    assert world.status.candidate_version == "v3" and is_asleep(world)


def test_one_that_is_tried_again_is_awake_for_it_and_sleeps_after_it():
    world = asleep()
    world.run(3000, until=Phase.OBSERVING)
    world.command("abort")
    world.run(10, until=Phase.ROLLED_BACK)
    world.command("retry")
    world.run(600, until=Phase.OBSERVING)
    assert not world.workloads.sleeping
    world.command("abort")
    assert is_asleep(world)


def test_one_that_is_promoted_and_one_that_was_awake_before_stay_awake():
    world = asleep()
    world.run(6000, until=Phase.STABLE)
    world.run(900)
    assert world.status.stable_version == "v2" and not world.workloads.sleeping
    awake = World()
    awake.run(3000, until=Phase.OBSERVING)
    awake.command("abort")
    awake.run(900)
    assert not awake.workloads.sleeping


def test_where_requests_under_way_are_not_counted_it_sleeps_after_minutes_not_after_the_drain_of_conversations():
    world = asleep()
    world.run(3000, until=Phase.OBSERVING)
    world.router.active = {"v2": 3}
    world.command("abort")
    world.run(200)
    assert not world.workloads.sleeping, "requests that are under way have time to end"
    world.run(150)
    assert world.workloads.sleeping == {"v2"}


def test_in_a_cluster_a_candidate_that_was_woken_is_at_0_replicas_again_after_a_rollback():
    backends = {"service": "agent-$version", "port": 8000, "deployment": "agent-$version"}
    with ClusterWorld(backends=backends, policy=agents.policy(drain={"deadline": "1s"})) as world:
        world.until(lambda status: status.get("stableVersion") == "v1" and status["phase"] == "Stable")
        world.api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 0}})
        agents.endpoints(world.api, "v2", ready=0)
        world.fails["v2"] = 0.6
        world.want("v2")
        world.until(lambda _: replicas(world) == 1)
        agents.endpoints(world.api, "v2")
        world.phase("RolledBack")
        world.until(lambda _: replicas(world) == 0)
        world.until(lambda status: not status.get("draining"))


def replicas(world):
    return world.api.get(DEPLOYMENT, "default", "agent-v2")["spec"]["replicas"]
