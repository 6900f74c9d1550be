"""Replicas that share the rollouts, on a real API server."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks import fleet
from benchmarks.counters import RisingCounters
from rollout.adapters.kubernetes.elector import Elector
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.adapters.kubernetes.resources import LEASE, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT
from rollout.controller.manager import LEASE_NAME
from rollout.controller.shards import lease_names, shard_of
from tests.cluster.world import AdminApi
from tests.fakes import prometheus
from tests.waiting import eventually

AGENTS = [f"sharded{number}" for number in range(6)]
SHARDS = 3
ROOT = Path(__file__).parents[2]


def test_the_variant_with_shards_is_taken_and_its_account_may_hold_each_shards_lease(server):
    server.kubectl("apply", "--server-side", "--force-conflicts", "-k", "manifests/sharded")
    api = server.api_of(server.service_account("rollout-system", "rollout-controller"))
    electors = [Elector(api, "rollout-system", name, "test") for name in lease_names(LEASE_NAME, SHARDS)]
    try:
        assert all(elector.acquire() and elector.acquire() for elector in electors), electors[0].problem
    finally:
        for elector in electors:
            elector.release()
        server.kubectl("apply", "--server-side", "--force-conflicts", "-k", "manifests/")


def test_the_rollouts_of_a_replica_that_is_killed_are_carried_out_by_others(server, tmp_path):
    server.kubectl("create", "namespace", fleet.NAMESPACE, check=False)
    api = AdminApi(configured(server.kubeconfig)[0], agent="test", read_timeout_s=10)
    names = lease_names(f"{LEASE_NAME}-{fleet.NAMESPACE}", SHARDS)

    def holders():
        held = {lease["metadata"]["name"]: lease["spec"] for lease in api.list_all(LEASE, fleet.NAMESPACE)[0]}
        return [held.get(name, {}).get("holderIdentity") for name in names]

    with ExitStack() as close:
        url = close.enter_context(prometheus.serving(RisingCounters(AGENTS)))
        fleet.create(api, AGENTS, url, sample_every="1s", address="10.1.0.7")
        replicas = {}
        for identity in ("one", "two", "three"):
            command = [sys.executable, "-m", "tests.replica", str(server.kubeconfig), identity, str(SHARDS)]
            log = close.enter_context((tmp_path / identity).open("w"))
            replicas[identity] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            close.callback(replicas[identity].wait, 30)
            close.callback(replicas[identity].kill)
        eventually(lambda: set(holders()) == set(replicas), why=str(holders()))
        fleet.release(api, AGENTS)
        eventually(lambda: all(fleet.weight(api, name) == 50 for name in AGENTS))
        left = shard_of(f"{fleet.NAMESPACE}/{AGENTS[0]}", SHARDS)
        gone = holders()[left]
        replicas[gone].kill()
        eventually(lambda: holders()[left] not in (gone, ""), why="its shard is taken over")
        api.merge(ROLLOUT, fleet.NAMESPACE, AGENTS[0], {"metadata": {"annotations": {ABORT: "test"}}})
        eventually(lambda: fleet.weight(api, AGENTS[0]) == 0)
        assert all(fleet.weight(api, name) == 50 for name in AGENTS[1:])
