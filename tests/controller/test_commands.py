"""Commands and aborts, as annotations bring them."""

from __future__ import annotations

import threading
import time

import pytest

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT, COMMAND
from rollout.backoff import Backoff
from tests.controller.steps import LONG, abort, ask, observing, restart, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.resources import Refusal


def test_commands_are_carried_out_once_answered_in_status_and_taken_out_of_the_way():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        assert ask(world, "pause")["accepted"]
        assert world.status()["phase"] == "Paused" and world.condition("Paused")["status"] == "True"
        world.until(lambda _: COMMAND not in (world.get()["metadata"].get("annotations") or {}))
        late = ask(world, "resume", expect={"phase": "Observing"})
        assert not late["accepted"] and "is now Paused" in late["message"]
        other = ask(world, "resume", expect={"planHash": "sha256:v1:other"})
        assert not other["accepted"] and "another policy" in other["message"]
        assert ask(world, "resume", expect={"phase": "Paused"})["accepted"]
        world.phase("Observing")


def test_an_annotation_that_is_no_command_is_told_and_does_nothing():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {COMMAND: "promote please"}}})
        world.until(lambda _: "is no command" in world.condition("Stalled").get("message", ""))
        assert world.status()["phase"] == "Observing"
        assert ask(world, "pause")["accepted"]


def test_spec_paused_holds_without_flapping():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2", paused=True)
        world.phase("Paused")
        before = world.status()
        time.sleep(1.5)
        after = world.status()
        assert after["conditions"] == before["conditions"] and after["decisions"] == before["decisions"]
        world.want("v2", paused=False)
        world.phase("Observing")


def test_an_abort_is_carried_out_while_the_watch_of_routes_is_behind(monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.BACKOFF", Backoff(0.1, 0.2, jitter=2.0))
    with ClusterWorld(policy=LONG) as world:
        observing(world)

        def fault(method, path):
            if path.endswith("/httproutes") and threading.current_thread().name.startswith("reflect"):
                raise Refusal(500, "InternalError", "no list, no watch")

        world.cluster.fault = fault
        stream = world.controller.informers.routes["httpRoute"]._watch
        stream.stop()
        world.until(lambda _: world.controller.informers.routes["httpRoute"].problem != "")
        world.api.merge(HTTP_ROUTE, "default", "agent", {"metadata": {"labels": {"new": "label"}}})
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}


def test_the_same_words_abort_the_next_release_too():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        abort(world, "it burns")
        world.phase("RolledBack")
        world.until(lambda _: ABORT not in (world.get()["metadata"].get("annotations") or {}))
        ask(world, "retry")
        world.phase("Observing")
        abort(world, "it burns")
        world.phase("RolledBack")
        assert world.status()["result"] == "aborted" and world.shares() == {"v1": 100, "v2": 0}


def test_an_abort_needs_no_rights_but_those_for_the_route():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        world.cluster.allowed = lambda verb, resource, place: (
            resource.plural not in ("services", "endpointslices", "deployments")
            or not threading.current_thread().name.startswith(("worker", "reflect"))
        )
        restart(world)  # a watch that is open goes on
        world.until(lambda _: world.condition("Stalled").get("reason") == "Forbidden")
        looked = world.status()["sampledAt"]
        world.until(lambda status: status["sampledAt"] > looked)
        abort(world)
        world.phase("RolledBack")
        assert world.shares() == {"v1": 100, "v2": 0}


@pytest.mark.parametrize("text", ["[" * 1000, '{"id": "x1", "reason": "\\ud800"}', "x" * 100_000])
def test_no_annotation_wedges_its_rollout(text):
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        abort(world, text)
        assert world.phase("RolledBack")["result"] == "aborted" and world.shares() == {"v1": 100, "v2": 0}


def test_nobody_is_sent_back_to_a_stable_version_that_does_not_answer():
    with ClusterWorld(policy=LONG) as world:
        observing(world)
        agents.endpoints(world.api, "v1", ready=0)
        time.sleep(0.5)
        world.fails["v2"] = 0.9
        status = world.phase("Paused")
        assert status["reason"] == "Worse" and "v1 does not answer" in status["message"]
        assert world.shares() == {"v1": 50, "v2": 50}
        abort(world)  # a human may
        world.phase("RolledBack")


def test_commands_without_anything_to_go_by_are_refused_with_the_reason():
    with ClusterWorld(policyRef={"name": "nowhere"}) as world:
        world.until(lambda _: world.condition("Stalled").get("reason") == "PolicyNotFound")
        answer = ask(world, "retry")
        assert not answer["accepted"] and "there is no RolloutPolicy nowhere" in answer["message"]
        world.until(lambda _: COMMAND not in (world.get()["metadata"].get("annotations") or {}))
