"""What a release under way costs while nothing happens but samples."""

from __future__ import annotations

from rollout.adapters.storage import held_statuses
from rollout.adapters.storage.rollout_resource import status_of
from tests.controller.steps import HOLDS, observing, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.waiting import eventually

EVERY_SECOND = {"sampleEvery": "1s", "warmUp": "0s", "dispersion": "1"}
WORKLOADS = ("services", "endpointslices", "deployments", "pods", "configmaps")


def is_steady(status):
    verdicts = {kpi["verdict"] for kpi in status.get("evidence", {}).values()}
    return status["traffic"]["effective"] == "confirmed" and verdicts == {"acceptable"}


def test_each_sample_takes_one_turn_one_query_and_no_call_for_what_is_watched():
    with ClusterWorld(policy=agents.policy(canary=HOLDS, evidence=EVERY_SECOND)) as world:
        observing(world)
        world.until(is_steady)
        turns, reconcile = [], world.controller._reconciler.reconcile
        world.controller._reconciler.reconcile = lambda obj: turns.append(obj) or reconcile(obj)
        asked = len(world.prometheus.asked)
        world.cluster.calls.clear()
        eventually(lambda: len(world.prometheus.asked) - asked >= 8, 120, "samples are taken")
        samples = len(world.prometheus.asked) - asked
        assert samples - 2 <= len(turns) <= samples + 2
        assert [call for call in list(world.cluster.calls) if call[1] in WORKLOADS] == []


def test_what_a_controller_has_written_it_does_not_read_anew(monkeypatch):
    with ClusterWorld(policy=agents.policy(canary=HOLDS, evidence=EVERY_SECOND)) as world:
        settled(world)
        parsed = []
        monkeypatch.setattr(held_statuses, "status_of", lambda obj: parsed.append(obj) or status_of(obj))
        world.want("v2")
        world.phase("Observing")
        writes = len(world.cluster.calls)
        world.until(is_steady)
        assert len(world.cluster.calls) > writes
        assert {obj["status"]["phase"] for obj in parsed} <= {"Stable"}, "at rest nothing is kept; then it is known"
