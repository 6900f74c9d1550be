"""What many rollouts cost a controller: CPU, calls and bytes, counted at a fake API server and a fake Prometheus.

The controller is a process of its own, and its CPU is the kernel's account of it; both servers speak HTTP.

    python benchmarks/bench_controller.py [ROLLOUTS:ACTIVE …]
"""

from __future__ import annotations

import collections
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import fleet
from benchmarks.costs import measured, table
from benchmarks.counters import RisingCounters
from tests.fakes import prometheus, server
from tests.fakes.cluster import FakeCluster

SIZES = ("200:0", "1:1", "20:20", "200:200")
MEASURED_S = 60.0
SETTLED_S = 70.0
"""After the first minute statuses are written by their schedule."""


def measure(size: int, active: int, folder: Path) -> None:
    cluster, names = FakeCluster(keeps=1_000_000), [f"agent{number}" for number in range(size)]
    api, counters = server.FakeApi(cluster, "bench"), RisingCounters(names)
    with prometheus.serving(counters) as metrics_url, server.serving(cluster) as url:
        fleet.create(api, names, metrics_url)
        config = server.kubeconfig(folder / "kubeconfig", url)
        began = time.monotonic()
        with fleet.controller(config, folder / "log") as process:
            fleet.wait("all are seen", lambda: all("stableVersion" in one for one in fleet.statuses(api).values()))
            seen_s = time.monotonic() - began
            fleet.release(api, names[:active])
            fleet.wait("all are shifted", lambda: all(fleet.weight(api, name) == 50 for name in names[:active]))
            time.sleep(SETTLED_S)
            cluster.calls.clear()
            costs = measured(process, MEASURED_S, lambda _: _calls(cluster), lambda: len(counters.asked))
    print(costs.row(size, active, seen_s), flush=True)


def _calls(cluster: FakeCluster) -> collections.Counter[str]:
    return collections.Counter(f"{verb} {what}" for verb, what, _ in list(cluster.calls) if verb != "watch")


def main() -> None:
    table(measure, SIZES)


if __name__ == "__main__":
    main()
