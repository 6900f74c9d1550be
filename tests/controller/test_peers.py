"""What other controllers prove end to end in a cluster alone: pods that vanish, restarts, filters, waits by kubectl."""

from __future__ import annotations

import time

from rollout.adapters.kubernetes.resources import DEPLOYMENT, ENDPOINT_SLICE, HTTP_ROUTE, POLICY
from tests.controller.steps import LONG, abort, ask, observing, released, restart, rules, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.shapes import SHAPES


def without_pods(world, version):
    """Let no pod of a version be left."""
    world.api.merge(ENDPOINT_SLICE, "default", f"agent-{version}-x", {"endpoints": []})


def versions_of(world):
    """The resourceVersions of what a controller may write."""
    route = world.api.get(HTTP_ROUTE, "default", "agent")["metadata"]["resourceVersion"]
    return route, world.get()["metadata"]["resourceVersion"]


def test_a_third_version_while_the_candidate_has_no_pod_goes_back_to_stable_and_on():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        without_pods(world, "v2")
        agents.version(world.api, "v3")
        backend = {"name": "agent-v3", "port": 8000, "weight": 0}
        world.api.patch(
            HTTP_ROUTE, "default", "agent", [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        )
        world.want("v3")
        world.until(lambda status: status.get("candidateVersion") == "v3" and status["phase"] == "Observing")
        assert world.shares()["v2"] == 0 and world.shares()["v1"] > 0


def test_an_abort_while_the_candidate_has_no_pod_sends_everybody_back():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        without_pods(world, "v2")
        abort(world)
        assert world.phase("RolledBack")["result"] in ("aborted", "rolled-back")
        assert world.shares() == {"v1": 100, "v2": 0}


def test_a_candidate_that_was_woken_sleeps_again_after_an_abort():
    policy = agents.policy(
        canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}}, drain={"deadline": "1s"}
    )
    with ClusterWorld(policy=policy, start=False) as world:
        world.api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 0}})
        agents.endpoints(world.api, "v2", ready=0)
        world.start()
        settled(world)
        world.want("v2")
        replicas = lambda: world.api.get(DEPLOYMENT, "default", "agent-v2")["spec"]["replicas"]
        world.until(lambda _: replicas() == 1)
        agents.endpoints(world.api, "v2")
        world.phase("Observing")
        abort(world)
        world.phase("RolledBack")
        world.until(lambda _: replicas() == 0)


def test_a_controller_that_starts_again_after_a_release_writes_nothing():
    with ClusterWorld() as world:
        released(world)
        world.until(lambda _: world.get()["metadata"].get("finalizers", []) == [])
        restart(world)
        before, end = versions_of(world), time.monotonic() + 2
        while time.monotonic() < end:
            assert versions_of(world) == before, "nothing has changed, so nothing is written"
            time.sleep(0.1)
        assert world.status()["stableVersion"] == "v2"


def test_the_spec_and_its_policy_changed_in_one_write_release_by_the_new_policy():
    with ClusterWorld() as world:
        settled(world)
        world.api.create(
            POLICY,
            "default",
            agents.policy("slow", canary={"steps": [{"weight": "30%", "for": "10m"}], "bake": {"for": "1s"}}),
        )
        world.want("v2", policyRef={"name": "slow"})
        world.until(lambda status: status.get("traffic", {}).get("appliedBp") == 3000)


def test_kubectl_can_wait_for_a_pause_and_for_its_end():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        ask(world, "pause")
        world.until(lambda _: world.condition("Paused").get("status") == "True")
        ask(world, "resume")
        world.until(lambda _: world.condition("Paused").get("status") == "False")


def test_a_pause_that_lasts_is_no_failure():
    policy = agents.policy(
        canary={"steps": [{"weight": "50%", "for": "300ms", "atMost": "1s"}], "bake": {"for": "300ms"}}
    )
    with ClusterWorld(policy=policy) as world:
        observing(world)
        ask(world, "pause")
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            assert world.status()["phase"] == "Paused"
            time.sleep(0.1)
        ask(world, "resume")
        settled(world, "v2")


def test_a_named_rule_in_a_list_of_tls_alone_is_split_without_http():
    shape = SHAPES["tls"]
    with ClusterWorld(shape=shape, policy=LONG) as world:
        observing(world)
        assert shape.shares(world.api, "default") == {"v1": 50, "v2": 50}
        assert "http" not in world.api.get(shape.kind, "default", "agent")["spec"]


def test_filters_and_other_rules_come_through_a_release_to_the_letter():
    with ClusterWorld() as world:
        before = rules(world)
        released(world)
        after = rules(world)
        assert after[0] == before[0] and after[1]["filters"] == before[1]["filters"]


def test_a_backend_at_weight_0_that_is_none_of_ours_stays_where_it_is():
    with ClusterWorld(start=False) as world:
        extra = {"name": "shadow", "port": 80, "weight": 0}
        add = [{"op": "add", "path": "/spec/rules/1/backendRefs/1", "value": extra}]
        world.api.patch(HTTP_ROUTE, "default", "agent", add)
        world.start()
        settled(world)
        world.want("v2")
        settled(world, "v2")
        assert extra.items() <= rules(world)[1]["backendRefs"][1].items()


def test_an_event_tells_each_thing_that_happened_to_a_release_once():
    with ClusterWorld() as world:
        released(world)
        world.until(lambda _: any(reason == "Promoted" for _, reason, _ in world.events()))
        notes = [note for _, _, note in world.events()]
        assert len([note for note in notes if note.startswith("v2 is promoted")]) == 1
