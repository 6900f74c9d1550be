"""What fails on the way: the API, the controller, the leader, the caches."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager

import pytest

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, POLICY, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT
from rollout.adapters.storage.held_statuses import WriteTimings
from rollout.backoff import Backoff
from rollout.controller.controller import Controller, Settings
from rollout.controller.share import All
from tests.controller.steps import LONG, abort, finalizers, observing, push, restart, settled
from tests.fakes.clustered import ClusterWorld
from tests.fakes.resources import Refusal
from tests.fakes.server import FakeApi
from tests.waiting import eventually


def flaky(seed, share=0.16):
    """Requests that fail in every way, before and after the server has acted."""
    chance = random.Random(seed)

    def fault(method, path):
        if path.endswith(("/agent-v1", "/agent-v2")) and "deployments" not in path and chance.random() > 0.5:
            return None
        if threading.current_thread().name.startswith(("worker", "reflect")) and chance.random() < share:
            kind = chance.choice(("409", "429", "500", "503", "before", "after"))
            if kind == "after":
                return "after"
            if kind == "before":
                raise TimeoutError("timed out")
            if kind == "409" and method == "GET":
                return None
            raise Refusal(int(kind), "Fault", "on purpose")
        return None

    return fault


def hide(world, plural, seconds):
    """Let lists of a kind fail for a while, as after a restart of the API server."""
    end = time.monotonic() + seconds

    def fault(method, path):
        if path.endswith(plural) and time.monotonic() < end and threading.current_thread().name.startswith("reflect"):
            raise TimeoutError("not yet")

    world.cluster.fault = fault


def test_a_release_survives_an_api_that_fails_every_sixth_time(monkeypatch):
    monkeypatch.setattr("rollout.controller.controller.BACKOFF", Backoff(0.05, 0.3, jitter=1.3))
    monkeypatch.setattr("rollout.controller.controller.ERROR_RETRY_S", 0.05)
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.BACKOFF", Backoff(0.05, 0.3, jitter=2.0))
    with ClusterWorld() as world:
        settled(world)
        world.cluster.fault = flaky(1)
        world.want("v2")
        settled_at = world.until(lambda status: status.get("stableVersion") == "v2" and status["phase"] == "Stable")
        world.cluster.fault = None
        assert settled_at["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}
        world.until(lambda _: finalizers(world) == [])
        assert len(world.releases()) <= 1


def test_a_controller_that_is_killed_at_any_moment_is_followed_by_one_that_goes_on():
    chance = random.Random(7)
    with ClusterWorld() as world:
        settled(world)
        world.want("v2")
        for _ in range(6):
            time.sleep(chance.uniform(0.1, 0.4))
            world.leads = False  # from now on it writes nothing, as if it had been killed
            world.controller.stop()
            world.start()
        status = settled(world, "v2")
        assert status["result"] == "promoted" and world.shares() == {"v1": 0, "v2": 100}
        starts = [
            decision
            for decision in world.decisions()
            if decision.reason == "Checking" and "is wanted" in decision.message
        ]
        assert len(starts) <= 1, "who is killed between the status and the journal leaves it out; nobody tells it twice"


def test_of_two_controllers_the_one_that_does_not_lead_writes_nothing():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        world.leads = False
        time.sleep(0.2)
        writes = [call for call in world.cluster.calls if call[0] in ("patch", "create", "update")]
        push(world, (70, 30))
        world.fails["v2"] = 0.9
        time.sleep(1.0)
        later = [call for call in world.cluster.calls if call[0] in ("patch", "create", "update")]
        ours = [
            call
            for call in later[len(writes) :]
            if call[1] not in ("httproutes", "httproutes/status", "grpcroutes/status")
        ]
        assert ours == [] and world.shares() == {"v1": 70, "v2": 30}


def test_a_deposed_leader_that_wakes_up_late_is_refused_by_the_version_it_knew():
    """Its caches are old, and it still believes that it leads: every write of its is over an old version."""
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.want("v2")
        world.phase("Observing")
        frozen = FakeApi(world.cluster)
        old_rollout, old_route = world.get(), world.api.get(HTTP_ROUTE, "default", "agent")
        world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"annotations": {ABORT: "back"}}})
        world.phase("RolledBack")
        world.until(
            lambda _: finalizers(world) == [] and ABORT not in (world.get()["metadata"].get("annotations") or {})
        )
        late = Controller(frozen, Settings(identity="late", workers=1), All(lambda: True))
        late.informers.rollouts.note(old_rollout)
        late.informers.routes["httpRoute"].note(old_route)
        late.informers.policies.note(world.api.get(POLICY, "default", "quick"))
        late.informers.rollouts.note = lambda found, *, wakes=True: None
        before = world.get()["metadata"]["resourceVersion"]
        for _ in range(3):
            late._reconcile("default/agent")
        late._queue.close()
        late._shared.close()
        assert world.get()["metadata"]["resourceVersion"] == before
        assert world.shares() == {"v1": 100, "v2": 0}


def test_a_dry_run_tells_its_plan_and_writes_nothing():
    with ClusterWorld(start=False) as world:
        world.start(dry_run=True)
        time.sleep(0.5)
        world.want("v2")
        time.sleep(1.0)
        assert world.status() == {} and world.shares() == {"v1": 100, "v2": 0}
        assert {
            call[0] for call in world.cluster.calls if call[1] in ("events", "configmaps", "leases", "rollouts/status")
        } == set()


def test_a_dry_run_answers_nobody_and_tells_no_event_where_nothing_can_be_read():
    with ClusterWorld(start=False) as world:
        world.api.delete(POLICY, "default", "quick")
        abort(world, "it burns")
        before = world.get()
        world.start(dry_run=True)
        time.sleep(1.0)
        assert world.get() == before and world.events() == []


@pytest.mark.parametrize("plural", ["httproutes", "rolloutpolicies"])
def test_a_controller_that_starts_with_half_filled_caches_touches_nothing_and_claims_nothing(plural, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.BACKOFF", Backoff(0.1, 0.2, jitter=2.0))
    with ClusterWorld() as world:
        settled(world)
        push(world, (50, 50))
        world.until(lambda _: world.condition("Stalled").get("reason") == "WeightDrift")
        world.until(lambda _: any(reason == "WeightDrift" for _, reason, _ in world.events()))
        before = world.condition("Stalled")
        hide(world, plural, 1.0)
        events = len(world.events())
        restart(world)
        time.sleep(1.8)
        assert world.shares() == {"v1": 50, "v2": 50} and len(world.events()) == events
        assert world.condition("Stalled") == before


def test_an_effect_that_is_refused_is_told_and_not_hammered():
    with ClusterWorld(policy=LONG) as world:
        settled(world)
        world.cluster.allowed = lambda verb, resource, place: (
            (verb, resource.plural) != ("patch", "httproutes") or place["sub"] == "status"
        )
        world.want("v2")
        world.until(lambda _: world.condition("Stalled").get("reason") == "RouteWriteDenied")
        told = world.condition("Stalled")
        assert "controller's role" in told["message"] and "httpRoute/agent/chat" in told["message"]
        before = world.cluster.calls.count(("patch", "httproutes", "gateway.networking.k8s.io"))
        time.sleep(4.0)
        # Each look writes its evidence, comes back by the watch, and tries once: five a second in this test, not more.
        assert world.cluster.calls.count(("patch", "httproutes", "gateway.networking.k8s.io")) - before <= 12
        assert world.condition("Stalled") == told, "the condition flaps"


HOLDING = WriteTimings(soonest_s=600.0, latest_s=600.0, spacing_s=1.0)


@contextmanager
def held():
    """A world whose controller holds evidence of a candidate's tasks, and what their number was when it was seen."""
    with ClusterWorld(policy=LONG, start=False) as world:
        world.start(status_writes=HOLDING)
        observing(world)
        world.until(lambda status: status["traffic"]["effective"] == "confirmed" and verdict(status) == "acceptable")
        before, began = tasks_counted(world), tasks(world)
        eventually(lambda: tasks(world) > began + 2000, 60, "tasks go on")
        assert tasks_counted(world) == before, "samples are not written one by one"
        yield world


def verdict(status):
    return status.get("evidence", {}).get("task-success", {}).get("verdict")


def tasks(world):
    counters = world.prometheus.series.items()
    return sum(
        value for labels, value in counters if "agent_tasks_started_total" in str(labels) and "v2" in str(labels)
    )


def tasks_counted(world):
    return world.status()["evidence"]["task-success"]["allC"]


def test_evidence_that_was_not_written_is_counted_anew_by_whoever_goes_on():
    """A crash loses samples; it loses no outcome that is still counted."""
    with held() as world:
        there = tasks(world)
        world.leads = False  # as if it had been killed: it writes nothing any more
        world.controller.stop()
        world.start()
        world.until(lambda _: tasks_counted(world) > there - 500)


class Handed:
    """A share that can be handed over."""

    def __init__(self):
        self.is_ours = True

    def shard_of(self, key):
        return 0

    def carries(self, key):
        return self.is_ours

    def may_write(self, key):
        return True

    def lease_of(self, key):
        return ""


def test_a_shard_that_is_left_is_written_as_it_holds_and_worked_on_no_more(monkeypatch):
    share = Handed()
    monkeypatch.setattr("tests.fakes.clustered.All", lambda *_: share)
    with held() as world:
        before = tasks_counted(world)
        share.is_ours = False
        world.controller.leave(0)
        written = tasks_counted(world)
        assert before + 1000 < written
        later = tasks(world)
        world.api.merge(ROLLOUT, "default", "agent", {"metadata": {"labels": {"seen": "yes"}}})
        eventually(lambda: tasks(world) > later + 2000)
        assert tasks_counted(world) == written, "a change of it is another controller's to see"
        share.is_ours = True
        world.controller.gain()
        abort(world)
        world.phase("RolledBack")


def test_a_controller_that_ends_in_order_writes_what_it_holds():
    with held() as world:
        before, there = tasks_counted(world), tasks(world)
        world.controller.stop()
        assert before + 1000 < tasks_counted(world) <= there + 1000
