"""What many rollouts cost a controller: CPU, calls and bytes, counted at a fake API server and a fake Prometheus.

First as a process of its own, whose CPU is the kernel's account of it; both servers speak HTTP. Then once more within
this process, to tell by part what a sample costs.

    python benchmarks/bench_controller.py [ROLLOUTS:ACTIVE …]
"""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import fleet
from benchmarks.costs import measured, table
from benchmarks.counters import RisingCounters
from benchmarks.parts import PARTS, REST, Costs, metered
from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.controller.controller import Controller, Settings
from rollout.controller.share import All
from rollout.runtime import logs
from tests.fakes import prometheus, server
from tests.fakes.cluster import FakeCluster

SIZES = ("200:0", "1:1", "20:20", "200:200")
MEASURED_S = 60.0
PARTS_ACTIVE = 100
SETTLED_S = 70.0
"""After the first minute statuses are written by their schedule."""


def measure(size: int, active: int, folder: Path) -> None:
    cluster, names = FakeCluster(keeps=1_000_000), [f"agent{number}" for number in range(size)]
    large = active >= fleet.LARGE
    api, counters = server.FakeApi(cluster, "bench"), RisingCounters(names, named=large)
    every_s = fleet.sample_every_s(active)
    with prometheus.serving(counters) as metrics_url, server.serving(cluster) as url:
        fleet.create(api, names, metrics_url, sample_every=f"{every_s}s", named=large)
        config = server.kubeconfig(folder / "kubeconfig", url)
        began = time.monotonic()
        with fleet.controller(config, folder / "log") as process:
            process.wait_until_ready()
            ready_s = time.monotonic() - began
            fleet.wait_until_seen(api, size)
            seen_s = time.monotonic() - began
            fleet.release(api, names[:active])
            shifted = lambda: all(fleet.weight(api, name) == 50 for name in names[:active])  # noqa: E731
            fleet.wait("all are shifted", shifted, bound_s=900.0, every_s=max(0.2, active / 200))
            time.sleep(SETTLED_S)
            cluster.calls.clear()
            costs = measured(process, MEASURED_S, lambda _: _calls(cluster), lambda: len(counters.asked))
    print(costs.row(size, active, ready_s, seen_s, every_s), flush=True)


def _calls(cluster: FakeCluster) -> collections.Counter[str]:
    return collections.Counter(f"{verb} {what}" for verb, what, _ in list(cluster.calls) if verb != "watch")


def tell_parts(active: int, folder: Path) -> None:
    """Print what each part of a sample costs, with so many rollouts under way."""
    logs.configure(verbose=False)
    cluster, names = FakeCluster(keeps=1_000_000), [f"agent{number}" for number in range(active)]
    api, counters = server.FakeApi(cluster, "bench"), RisingCounters(names)
    with prometheus.serving(counters) as metrics_url, server.serving(cluster) as url, metered() as meter:
        fleet.create(api, names, metrics_url)
        config = configured(server.kubeconfig(folder / "kubeconfig", url), None)[0]
        controller = Controller(HttpApi(config, agent="bench"), Settings(workers=4), All(lambda: True))
        controller.start()
        controller.gain()
        try:
            fleet.wait("all are seen", lambda: all("stableVersion" in one for one in fleet.statuses(api).values()))
            fleet.release(api, names)
            fleet.wait("all are shifted", lambda: all(fleet.weight(api, name) == 50 for name in names))
            time.sleep(SETTLED_S)
            before, verdicts = meter.costs.copy(), _verdicts(controller)
            time.sleep(MEASURED_S)
            costs, samples = meter.costs.since(before), _verdicts(controller) - verdicts
        finally:
            controller.stop()
    _print_parts(costs, samples / len(fleet.POLICY_SPEC["kpis"]))


def _verdicts(controller: Controller) -> float:
    return sum(
        sample.value
        for metric in controller.figures.verdicts.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


def _print_parts(costs: Costs, samples: float) -> None:
    print(f"\n{'each of ' + format(samples, '.0f') + ' samples':<42}  CPU ms  API calls   bytes")
    for part in (*(part for _, _, part in PARTS), REST):
        cpu_ms, calls, bytes_ = (of[part] / samples for of in (costs.cpu_s, costs.calls, costs.bytes_))
        print(f"{part:<42}  {1000 * cpu_ms:>6.3f}  {calls:>9.3f}  {bytes_:>6.0f}")
    totals = [sum(of.values()) / samples for of in (costs.cpu_s, costs.calls, costs.bytes_)]
    print(f"{'together':<42}  {1000 * totals[0]:>6.3f}  {totals[1]:>9.3f}  {totals[2]:>6.0f}", flush=True)


def main() -> None:
    table(measure, SIZES)
    with tempfile.TemporaryDirectory() as folder:
        tell_parts(PARTS_ACTIVE, Path(folder))


if __name__ == "__main__":
    main()
