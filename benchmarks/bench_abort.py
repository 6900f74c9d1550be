"""How long it takes to send all traffic back, with many rollouts under way beside it: after an abort, and by evidence.

The controller is a process of its own; the API server and the Prometheus are the tests' fakes, over HTTP. A rollback by
evidence is timed from the scrape that it was decided by, and from the first scrape in which the candidate fails.

    python benchmarks/bench_abort.py [ACTIVE …]
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import fleet
from benchmarks.counters import RisingCounters
from rollout.adapters.kubernetes.resources import ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT
from tests.fakes import prometheus, server
from tests.fakes.cluster import FakeCluster

SIZES = ("20", "200", "1000")
ABORTS = 60
ROLLBACKS = 40
SETTLED_S = 45.0
SLOW_S = 60.0
EVERY_S = 0.005


def measure(active: int, folder: Path) -> None:
    cluster, names = FakeCluster(keeps=1_000_000), [f"agent{number}" for number in range(active)]
    large, sample_every = active >= fleet.LARGE, f"{fleet.sample_every_s(active)}s"
    api, counters = server.FakeApi(cluster, "bench"), RisingCounters(names, named=large)
    with prometheus.serving(counters) as metrics_url, server.serving(cluster) as url:
        fleet.create(api, names, metrics_url, sample_every=sample_every, named=large)
        config = server.kubeconfig(folder / "kubeconfig", url)
        with fleet.controller(config, folder / "log"):
            fleet.wait_until_seen(api, active)
            fleet.release(api, names)
            fleet.wait(
                "all are shifted",
                lambda: all(fleet.weight(api, name) == 50 for name in names),
                bound_s=900.0,
                every_s=active / 200,
            )
            time.sleep(SETTLED_S)
            aborted = names[: min(ABORTS, active // 3 + 1)]
            took = [_abort(api, name) for name in aborted]
            _tell(active, "abort", took)
            rest = [name for name in names if name not in aborted]
            decided, failed = zip(*(_fail(api, counters, name) for name in rest[:ROLLBACKS]), strict=True)
    _tell(active, "rollback, from the deciding scrape", list(decided))
    _tell(active, "rollback, from the first bad scrape", list(failed))


def _abort(api: Any, name: str) -> float:
    began = time.monotonic()
    api.merge(ROLLOUT, fleet.NAMESPACE, name, {"metadata": {"annotations": {ABORT: "bench"}}})
    _wait_for_weight_0(api, name)
    return time.monotonic() - began


def _fail(api: Any, counters: RisingCounters, name: str) -> tuple[float, float]:
    """Let a candidate fail; return how long after the deciding scrape, and after the first bad one, it had weight 0."""
    bad_from = math.ceil(time.time())
    counters.fails[f"{name}-v2"] = float(bad_from)
    _wait_for_weight_0(api, name)
    now = time.time()
    status = api.get(ROLLOUT, fleet.NAMESPACE, name)["status"]
    scraped = float(json.loads(status["internal"])["counters"]["mark"])
    return now - scraped, now - (bad_from + 1)


def _wait_for_weight_0(api: Any, name: str) -> None:
    fleet.wait(f"{name} has no weight", lambda: fleet.weight(api, name) == 0, SLOW_S, EVERY_S)


def _tell(active: int, what: str, took: list[float]) -> None:
    ranked = sorted(took)
    middle, high = ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, math.ceil(len(ranked) * 0.99) - 1)]
    print(f"{active:>7}  {len(took):>5}  {middle:>9.2f}  {high:>9.2f}   {what}", flush=True)


def main() -> None:
    print(" active  times  median, s  99 %, s   what")
    for active in sys.argv[1:] or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            measure(int(active), Path(folder))


if __name__ == "__main__":
    main()
