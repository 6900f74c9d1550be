"""Several replicas share the rollouts: no rollout has two writers, and none is left alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import fleet
from benchmarks.counters import RisingCounters
from rollout.adapters.kubernetes.resources import EVENT, LEASE, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT
from rollout.controller.shards import lease_names, shard_of
from tests.fakes import prometheus, server
from tests.fakes.cluster import FakeCluster
from tests.waiting import eventually

AGENTS = [f"agent{number}" for number in range(12)]
SHARDS = 3
LEASES = lease_names("rollout-controller-agents", SHARDS)
ROOT = Path(__file__).parents[2]


class Door:
    """The way of one replica to the cluster: it notes what is written, and can be cut."""

    def __init__(self, cluster, name, written):
        self._cluster, self._name, self._written = cluster, name, written

    def __getattr__(self, name):
        return getattr(self._cluster, name)

    def handle(self, method, path, *more):
        answer = self._cluster.handle(method, path, *more)
        if method != "GET":
            self._written.append((self._name, path, answer[1]))
        return answer


class Fleet:
    """Agents in a cluster, and replicas of a controller."""

    def __init__(self, folder):
        self.folder, self.written = folder, []
        self.cluster = FakeCluster(keeps=1_000_000)
        self.api = server.FakeApi(self.cluster, "test")
        self.doors, self.replicas, self.close = {}, {}, ExitStack()
        self.close.callback(self._end)
        url = self.close.enter_context(prometheus.serving(RisingCounters(AGENTS)))
        fleet.create(self.api, AGENTS, url, sample_every="1s")

    def _end(self):
        for replica in self.replicas.values():
            replica.kill()
            replica.wait(30)

    def start(self, name, shards=SHARDS):
        door = self.doors[name] = Door(self.cluster, name, self.written)
        config = server.kubeconfig(self.folder / name, self.close.enter_context(server.serving(door)))
        command = [sys.executable, "-m", "tests.replica", str(config), name, str(shards)]
        with (self.folder / f"{name}.log").open("w") as log:
            self.replicas[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def writers(self):
        """Who has written a Rollout or its route so far."""
        return {by for by, path, _ in self.written if "rollouts" in path or "virtualservices" in path}

    def renewals(self):
        return sum("leases" in path for _, path, _ in self.written)

    def holders(self):
        """Who holds each shard, by the API server's word."""
        leases = {lease["metadata"]["name"]: lease["spec"] for lease in self.api.list_all(LEASE, "agents")[0]}
        return [leases.get(name, {}).get("holderIdentity", "") for name in LEASES]

    def of(self, shard):
        return [name for name in AGENTS if shard_of(f"agents/{name}", SHARDS) == shard]

    def abort(self, names):
        for name in names:
            self.api.merge(ROLLOUT, "agents", name, {"metadata": {"annotations": {ABORT: "test"}}})

    def has_weight(self, names, weight):
        return all(fleet.weight(self.api, name) == weight for name in names)

    def strangers(self):
        """The writes to a Rollout or its route by a replica that did not hold its shard just then."""
        holders, strange = {}, []
        for by, path, answer in list(self.written):
            parts = path.split("/")
            if "leases" in parts:
                holders[answer["metadata"]["name"]] = answer["spec"]["holderIdentity"]
            elif "rollouts" in parts or "virtualservices" in parts:
                name = parts[parts.index("agents") + 2]
                if holders.get(LEASES[shard_of(f"agents/{name}", SHARDS)]) != by:
                    strange.append((by, path))
        return strange


@pytest.fixture
def agents(tmp_path):
    made = Fleet(tmp_path)
    with made.close:
        yield made


def test_three_replicas_share_the_rollouts_while_one_is_killed_and_one_is_cut_off(agents):
    for name in ("one", "two", "three"):
        agents.start(name)
    eventually(lambda: sorted(agents.holders()) == ["one", "three", "two"], why=str(agents.holders()))
    fleet.release(agents.api, AGENTS)
    eventually(lambda: agents.has_weight(AGENTS, 50), why="each replica carries its share out")

    killed, cut = agents.holders().index("one"), agents.holders().index("two")
    agents.replicas["one"].kill()
    eventually(lambda: agents.holders()[killed] in ("two", "three"), why="its shard is taken over")
    agents.abort(agents.of(killed)[:1])
    eventually(lambda: agents.has_weight(agents.of(killed)[:1], 0), why="whoever has it now carries it out")

    agents.doors["two"].silent = True
    eventually(lambda: agents.holders() == ["three"] * 3, why=str(agents.holders()))
    agents.abort(agents.of(cut))
    eventually(lambda: agents.has_weight(agents.of(cut), 0), why="one replica carries all of them out")
    assert agents.replicas["two"].wait(90) == 1, "who is cut off ends"
    assert agents.strangers() == []


def test_a_replica_that_comes_later_is_given_a_shard_and_one_that_ends_leaves_its_own(agents):
    agents.start("one")
    eventually(lambda: agents.holders() == ["one"] * 3)
    fleet.release(agents.api, AGENTS)
    eventually(lambda: agents.has_weight(AGENTS, 50))
    agents.start("two")
    eventually(lambda: sorted(agents.holders()) == ["one", "one", "two"], why=str(agents.holders()))
    given = agents.holders().index("two")
    before = agents.renewals()
    eventually(lambda: agents.renewals() > before + 20)
    assert agents.holders()[given] == "two", "it is not asked back for"
    agents.abort(AGENTS)
    eventually(lambda: agents.has_weight(AGENTS, 0))
    agents.replicas["one"].send_signal(signal.SIGTERM)
    assert agents.replicas["one"].wait(60) == 0
    eventually(lambda: agents.holders() == ["two"] * 3)
    assert agents.strangers() == []


def test_while_the_number_of_shards_changes_a_rollout_is_of_whoever_has_claimed_it(agents):
    agents.start("old", shards=1)
    fleet.release(agents.api, AGENTS)
    eventually(lambda: agents.has_weight(AGENTS, 50))
    agents.start("new")
    eventually(lambda: agents.holders() == ["new"] * 3, why="its leases are others")
    before = agents.renewals()
    eventually(lambda: agents.renewals() > before + 20)
    assert agents.writers() == {"old"}
    agents.replicas["old"].send_signal(signal.SIGTERM)
    assert agents.replicas["old"].wait(60) == 0
    agents.abort(AGENTS)
    eventually(lambda: agents.has_weight(AGENTS, 0), why="who comes after it carries all of them out")
    events = agents.api.list_all(EVENT, "agents")[0]
    assert events and not [event for event in events if event["reason"] == "ClaimedByAnother"]
