"""How long an abort takes, from the annotation to weight 0, with many rollouts under way beside it.

The API server and the Prometheus are the tests' fakes, in the same process: the times are of this machine, and an upper
bound. Printed: the median and the slowest of the aborts, in milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, POLICY, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT
from rollout.controller.controller import Controller, Settings
from rollout.runtime.logs import configure
from tests.fakes import agents, prometheus
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi

POLICY_SPEC = {
    "canary": {"steps": [{"weight": "50%", "for": "10h"}], "bake": {"for": "1s"}},
    "evidence": {"sampleEvery": "10s", "warmUp": "0s", "dispersion": "1"},
}
ABORTS = 15
START_S = 180.0


def share(api: FakeApi, name: str) -> int:
    return api.get(HTTP_ROUTE, "default", name)["spec"]["rules"][1]["backendRefs"][1]["weight"]


def measure(active: int, *, hanging: int) -> None:
    cluster = FakeCluster(keeps=1_000_000)
    api, fake, hang = FakeApi(cluster, "bench"), prometheus.FakePrometheus(), threading.Event()
    for version in ("v1", "v2"):
        for what in ("started", "failed"):
            for number in range(active):
                labels = {"version": version, "pod": f"agent{number}-{version}"}
                fake.add(f"agent_tasks_{what}_total", 100, **labels)
    with ExitStack() as close:
        url = close.enter_context(prometheus.serving(fake))
        never = prometheus.FakePrometheus()
        never.answer = lambda: (hang.wait(3600), (200, "application/json", "{}"))[1]
        never_url = close.enter_context(prometheus.serving(never))
        api.create(POLICY, "default", agents.policy(**POLICY_SPEC))
        for number in range(active):
            name = f"agent{number}"
            for version in ("v1", "v2"):
                agents.version(api, version, name=name)
            api.create(HTTP_ROUTE, "default", agents.route(name=name))
            api.create(ROLLOUT, "default", agents.rollout(url, name=name))
        close.enter_context(agents.Gateway(api))
        controller = Controller(FakeApi(cluster), Settings(workers=8), lambda: True)
        controller.start()
        controller.lead()
        close.callback(controller.stop)
        wait(
            lambda: all((each.get("status") or {}).get("stableVersion") for each in api.list_all(ROLLOUT, "default")[0])
        )
        for number in range(active):
            api.merge(ROLLOUT, "default", f"agent{number}", {"spec": {"version": "v2"}})
        wait(lambda: all(share(api, f"agent{number}") for number in range(active)))
        for number in range(hanging):
            change = {"spec": {"metrics": {"prometheus": {"url": never_url}}}}
            api.merge(ROLLOUT, "default", f"agent{active - 1 - number}", change)
        if hanging:
            fake.answer = never.answer  # pinned wirings keep the first address
        time.sleep(12.0)
        took = []
        for number in range(min(ABORTS, active)):
            began = time.monotonic()
            api.merge(ROLLOUT, "default", f"agent{number}", {"metadata": {"annotations": {ABORT: "bench"}}})
            wait(lambda number=number: share(api, f"agent{number}") == 0)
            took.append((time.monotonic() - began) * 1000)
        hang.set()
        print(f"{active:>7}  {hanging:>7}  {statistics.median(took):>10.0f}  {max(took):>11.0f}", flush=True)


def wait(holds) -> None:
    end = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


def main() -> None:
    configure(verbose=False)
    print(" active  hanging  median, ms  slowest, ms")
    measure(1, hanging=0)
    measure(24, hanging=24)
    measure(190, hanging=0)


if __name__ == "__main__":
    main()
