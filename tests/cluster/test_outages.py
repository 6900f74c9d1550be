"""What fails on the way, on a real API server: the leader is killed, the API is away for 80 s."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from rollout.adapters.kubernetes.resources import LEASE
from tests.cluster.world import RealWorld
from tests.fakes import agents

pytestmark = pytest.mark.real
WAIT_S = 90
AWAY_S = 80


def settled(world, version="v1"):
    return world.until(
        lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable", WAIT_S
    )


class Daemon:
    """`rollout daemon` as a process under the ServiceAccount's token; started again when it ends, as a kubelet does."""

    def __init__(self, server, namespace, path):
        account = server.service_account("rollout-system", "rollout-controller")
        self.command = [
            sys.executable, "-m", "rollout.cli.app", "daemon", "--kubeconfig", str(account), "--namespace", namespace,
        ]  # fmt: skip
        self.log, self.stopped, self.process = path, threading.Event(), None
        self._start()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})

    def _watch(self):
        while not self.stopped.wait(0.5):
            if self.process.poll() is not None:
                self._start()

    def close(self):
        self.stopped.set()
        self.thread.join(10)
        self.process.kill()
        self.process.wait(10)


@contextmanager
def daemons(server, namespace, tmp_path, count):
    """So many controllers of one namespace, which lead by a lease in it."""
    rights = ["create", "role", "leads", "--verb=get,create,update", "--resource=leases"]
    server.kubectl("-n", namespace, *rights)
    account = "--serviceaccount=rollout-system:rollout-controller"
    server.kubectl("-n", namespace, "create", "rolebinding", "leads", "--role=leads", account)
    made = [Daemon(server, namespace, tmp_path / f"daemon-{number}.log") for number in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def holder(world):
    lease = world.api.get(LEASE, world.namespace, f"rollout-controller-{world.namespace}")
    return lease["spec"]["holderIdentity"]


def test_a_leader_that_is_killed_is_followed_by_one_that_goes_on(server, namespace, tmp_path):
    policy = agents.policy(canary={"steps": [{"weight": "50%", "for": "3s"}], "bake": {"for": "1s"}})
    with (
        RealWorld(server, namespace, policy=policy, start=False) as world,
        daemons(server, namespace, tmp_path, 2) as both,
    ):
        settled(world)
        world.want("v2")
        world.phase("Shifting", "Observing", timeout_s=WAIT_S)
        first = holder(world)
        pids = {each.process.pid for each in both}
        leader = next(
            each for each in both if first.rpartition("_")[2] in each.log.read_text() or f"{each.process.pid}" in first
        )
        leader.stopped.set()
        leader.process.kill()
        status = settled(world, "v2")
        assert status["result"] == "promoted" and holder(world) != first and len(pids) == 2


def test_after_the_api_was_away_nothing_passes_on_what_nobody_saw(server, namespace, tmp_path):
    steps = [{"weight": "10%", "for": "30s"}, {"weight": "50%", "for": "10m"}]
    policy = agents.policy(
        canary={"steps": steps, "bake": {"for": "1s"}},
        evidence={"sampleEvery": "2s", "warmUp": "1s", "dispersion": "1"},
    )
    with (
        RealWorld(server, namespace, policy=policy, rate=200, start=False) as world,
        daemons(server, namespace, tmp_path, 1),
    ):
        settled(world)
        world.want("v2")
        world.phase("Observing", timeout_s=WAIT_S)
        time.sleep(3.0)
        server.stop_answering()
        try:
            world.fails["v2"] = 0.5
            end = time.monotonic() + AWAY_S
            while time.monotonic() < end:
                for version, share in (
                    ("v1", 0.9),
                    ("v2", 0.1),
                ):  # users go on; the world's own cannot see the route
                    world._tasks(version, round(20 * share))
                time.sleep(0.1)
        finally:
            server.answer_again()
        seen = set()

        def over(status):
            seen.add(status.get("step"))
            return status.get("phase") == "RolledBack"

        status = world.until(over, 120)
        assert seen == {0}, "no step was passed on the time in which nobody looked"
        assert status["reason"] == "Worse" and world.shares() == {"v1": 100, "v2": 0}
