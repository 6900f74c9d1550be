"""What many rollouts cost a controller: calls while nothing happens, memory, and how long a turn takes.

Counts and ratios; the times are of this machine. The API server is the tests' fake, in the same process, so the memory is
of both: the first row is the base.
"""

from __future__ import annotations

import collections
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, POLICY, ROLLOUT
from rollout.controller.controller import Controller, Settings
from rollout.runtime.logs import configure
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi

SIZES = (1, 500, 2000)
IDLE_S = 10.0


def megabytes() -> float:
    return (
        int(
            next(
                line.split()[1]
                for line in Path("/proc/self/status").read_text().splitlines()
                if line.startswith("VmRSS")
            )
        )
        / 1024
    )


def measure(size: int) -> None:
    cluster = FakeCluster(keeps=100_000)
    api = FakeApi(cluster, "bench")
    api.create(POLICY, "default", agents.policy())
    for number in range(size):
        name = f"agent{number}"
        agents.version(api, "v1", name=name)
        api.create(HTTP_ROUTE, "default", agents.route(name=name))
        api.create(ROLLOUT, "default", agents.rollout("http://127.0.0.1:1", name=name))
    before_mb = megabytes()
    controller = Controller(FakeApi(cluster), Settings(workers=8), lambda: True)
    began = time.monotonic()
    controller.start()
    controller.lead()
    while any("stableVersion" not in (each.get("status") or {}) for each in api.list_all(ROLLOUT, "default")[0]):
        time.sleep(0.2)
    settled_s = time.monotonic() - began
    known = -1
    while known != len(cluster.calls):  # its own writes come back to it once
        known = len(cluster.calls)
        time.sleep(1.0)
    cluster.calls.clear()
    time.sleep(IDLE_S)
    calls = collections.Counter(verb for verb, _, _ in cluster.calls)
    print(
        f"{size:>8}  {settled_s:>10.1f}  {size / settled_s:>11.0f}  {sum(calls.values()) / IDLE_S:>12.1f}"
        f"  {1024 * (megabytes() - before_mb) / size:>14.0f}"
    )
    controller.stop()


def main() -> None:
    configure(verbose=False)
    print("rollouts  all seen, s  turns a s.  idle calls/s  kB a rollout")
    for size in SIZES:
        measure(size)


if __name__ == "__main__":
    main()
