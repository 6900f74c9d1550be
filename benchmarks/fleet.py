"""A fleet of agents for benchmarks: its objects in an API server, its counters, and a controller in a process of its own.

What the controller costs is told by the kernel's accounts of its process, whatever its servers cost beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from rollout.adapters.kubernetes.resources import POLICY, ROLLOUT, VIRTUAL_SERVICE
from tests.fakes import agents
from tests.network import free_port

NAMESPACE = "agents"
STEP_BP = 5000
POLICY_SPEC: dict[str, Any] = {
    "canary": {"steps": [{"weight": "50%", "for": "10h", "atMost": "20h"}], "bake": {"for": "1s"}},
    "kpis": [
        {
            "name": "task-success",
            "preset": "agent-tasks",
            "margin": {"absolute": "5%"},
            "promotionMargin": {"absolute": "20%"},
        },
        {
            "name": "errors",
            "bad": 'agent_errors_total{agent="$name",version="$version"}',
            "total": 'agent_requests_total{agent="$name",version="$version"}',
            "margin": {"absolute": "5%"},
            "promotionMargin": {"absolute": "20%"},
        },
    ],
}
LARGE = 500
"""From so many active rollouts on samples are taken every 30 s, else every 10 s. In a fleet of so many selectors name
their agent: a preset has the series of all in each answer."""

TICKS = os.sysconf("SC_CLK_TCK")


def sample_every_s(active: int) -> int:
    return 30 if active >= LARGE else 10


def policy(sample_every: str, *, named: bool = False) -> dict[str, Any]:
    """Return a policy that holds its candidate at half of the traffic for hours; named: its selectors name the agent."""
    evidence = {"sampleEvery": sample_every, "warmUp": "0s", "dispersion": "1"}
    made = agents.policy(**POLICY_SPEC, evidence=evidence)
    if named:
        tasks = made["spec"]["kpis"][0]
        del tasks["preset"]
        labels = '{agent="$name",version="$version"}'
        tasks |= {"bad": f"agent_tasks_failed_total{labels}", "total": f"agent_tasks_started_total{labels}"}
    return made


def create(
    api: Any,
    names: list[str],
    prometheus: str,
    *,
    sample_every: str = "10s",
    address: str = "127.0.0.1",
    named: bool = False,
) -> None:
    """Create agents at v1, with v2 beside it, behind a VirtualService each; address: of their pods."""
    api.create(POLICY, NAMESPACE, policy(sample_every, named=named))
    for name in names:
        for version in ("v1", "v2"):
            agents.version(api, version, name=name, namespace=NAMESPACE, address=address)
        api.create(VIRTUAL_SERVICE, NAMESPACE, agents.route(name=name, kind="virtualService"))
        api.create(ROLLOUT, NAMESPACE, agents.rollout(prometheus, name=name, kind="virtualService"))


def release(api: Any, names: list[str]) -> None:
    """Declare v2."""
    for name in names:
        api.merge(ROLLOUT, NAMESPACE, name, {"spec": {"version": "v2"}})


def weight(api: Any, name: str) -> int:
    """Return the candidate's weight in the route."""
    routed = api.get(VIRTUAL_SERVICE, NAMESPACE, name)["spec"]["http"][1]["route"]
    return int(routed[1].get("weight") or 0)


def statuses(api: Any) -> dict[str, dict[str, Any]]:
    return {obj["metadata"]["name"]: obj.get("status") or {} for obj in api.list_all(ROLLOUT, NAMESPACE)[0]}


def wait(what: str, holds: Callable[[], bool], bound_s: float = 300.0, every_s: float = 0.2) -> None:
    """Wait until something holds. Raises TimeoutError."""
    end = time.monotonic() + bound_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {bound_s:.0f} s: {what}")
        time.sleep(every_s)


def wait_until_seen(api: Any, size: int) -> None:
    """Wait until the stable version of each rollout is known; who looks too often slows down the fake server."""
    seen = lambda: all("stableVersion" in one for one in statuses(api).values())  # noqa: E731
    wait("all are seen", seen, bound_s=600.0, every_s=max(0.2, size / 1000))


class Process:
    """A controller: its process by the kernel's accounts, and its own metrics."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid, self.port = pid, port

    def wait_until_ready(self) -> None:
        """Wait until its caches are filled."""
        wait("it is ready", self._is_ready, every_s=0.1)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False

    def samples(self) -> float:
        """Return how many samples it has taken, of all rollouts."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        verdicts = sum(float(line.split()[-1]) for line in lines if line.startswith("rollout_kpi_verdict_total{"))
        return verdicts / len(POLICY_SPEC["kpis"])

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


@contextmanager
def controller(kubeconfig: Path, log: Path, *options: str) -> Iterator[Process]:
    """Run `rollout daemon` for all namespaces in a process of its own."""
    command = [sys.executable, "-m", "rollout", "daemon", "-A", "--kubeconfig", str(kubeconfig)]
    port = free_port()
    command += ["--lease-namespace", NAMESPACE, "--listen", f"127.0.0.1:{port}", *options]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield Process(process.pid, port)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
