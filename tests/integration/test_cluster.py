"""From end to end without a cluster: a fake API server, a real Envoy that a small gateway programs from HTTPRoutes, a
real Prometheus, two agents under load, and `rollout daemon` as a process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack

import pytest

from rollout.adapters.http import Pages
from rollout.adapters.kubernetes.resources import HTTP_ROUTE, LEASE, POLICY, ROLLOUT
from rollout.adapters.routers.envoy import EnvoyRouter
from rollout.adapters.routers.envoy_managed import ManagedEnvoy
from rollout.adapters.storage import history_configmap
from rollout.engine.effects import SetWeight
from rollout.model.api.conversations import Conversations
from tests.fakes import agents, http
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi, kubeconfig, serving
from tests.integration.agents import Agent, Users
from tests.integration.prometheus import Prometheus, needs_prometheus
from tests.integration.real import needs_envoy
from tests.network import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy, needs_prometheus]

POLICY_SPEC = {
    "canary": {
        "steps": [{"weight": "20%", "for": "2s"}, {"weight": "50%", "for": "2s"}],
        "bake": {"for": "2s", "atMost": "5m"},
    },
    "kpis": [
        {
            "name": "errors",
            "preset": "gateway/errors",
            "margin": {"absolute": "5%"},
            "promotionMargin": {"absolute": "20%"},
        },
        {
            "name": "task-success",
            "preset": "agent-tasks",
            "margin": {"absolute": "5%"},
            "promotionMargin": {"absolute": "20%"},
        },
    ],
    "evidence": {"sampleEvery": "1s", "warmUp": "1s", "dispersion": "1"},
}


class RealGateway(agents.Gateway):
    """Programs an Envoy from the weights of a route, and only then says that it is accepted."""

    def __init__(self, api, envoy):
        super().__init__(api, (HTTP_ROUTE,), self.program)
        self.envoy = envoy

    def program(self, found):
        refs = found["spec"]["rules"][1]["backendRefs"]
        stable, candidate = refs[0], refs[1]
        total = stable["weight"] + candidate["weight"]
        self.envoy.apply(SetWeight(stable["name"], candidate["name"], round(10_000 * candidate["weight"] / total)))
        eventually(lambda: self.envoy.observe().weight_bp == round(10_000 * candidate["weight"] / total), 10)


class Stage:
    """Everything real that a release needs."""

    def __init__(self, tmp_path, versions):
        self.agents = versions
        self.address = f"127.0.0.1:{free_port()}"
        self.pages, self.pages_of_envoy = Pages(), ExitStack()
        self.process = ManagedEnvoy("gw", self.address, tmp_path / "envoy", self.pages)
        endpoints = {f"agent-{name}": (agent.url,) for name, agent in versions.items()}
        self.envoy = EnvoyRouter("gw", Conversations(), endpoints, self.process)
        self.envoy.apply(SetWeight("agent-v1", "agent-v2", 0))
        eventually(lambda: self.envoy.observe().reachable)
        admin = self.pages_of_envoy.enter_context(http.serving(lambda _, path, __: self.process.get(path)))
        pages = {
            "agents": ("/metrics", [agent.url.removeprefix("http://") for agent in versions.values()]),
            "gateway": ("/stats/prometheus", [admin]),
        }
        self.prometheus = Prometheus(tmp_path, pages)

    def close(self):
        self.prometheus.close()
        self.pages_of_envoy.close()
        self.process.stop()
        self.pages.close()


def daemon(tmp_path, url, port):
    config = kubeconfig(tmp_path / "kubeconfig", url)
    command = [
        sys.executable,
        "-m",
        "rollout.cli.app",
        "daemon",
        "--kubeconfig",
        str(config),
        "-A",
        "--listen",
        f"127.0.0.1:{port}",
    ]
    with (tmp_path / "daemon.log").open("a") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})


def probe(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_good_is_promoted_bad_is_rolled_back_and_no_request_is_lost(tmp_path):
    versions = {"v1": Agent("v1"), "v2": Agent("v2")}
    cluster = FakeCluster()
    api = FakeApi(cluster, "test")
    close = ExitStack()
    for agent in versions.values():
        close.callback(agent.close)
    stage = Stage(tmp_path, versions)
    close.callback(stage.close)
    for version in versions:
        agents.version(api, version)
    api.create(HTTP_ROUTE, "default", agents.route())
    api.create(
        POLICY,
        "default",
        {"apiVersion": POLICY.api_version, "kind": "RolloutPolicy", "metadata": {"name": "quick"}, "spec": POLICY_SPEC},
    )
    api.create(ROLLOUT, "default", agents.rollout(stage.prometheus.url))
    status = lambda: api.get(ROLLOUT, "default", "agent").get("status", {})
    port = free_port()
    with (
        close,
        serving(cluster, token="secret-token") as url,
        RealGateway(api, stage.envoy),
        Users(stage.address, rate=120) as users,
    ):
        controller = asleep = daemon(tmp_path, url, free_port())
        try:
            eventually(lambda: status().get("stableVersion") == "v1", 30, (tmp_path / "daemon.log").read_text())
            controller = daemon(tmp_path, url, port)
            eventually(lambda: probe(port, "/readyz")[0] == 200 and probe(port, "/healthz")[0] == 200, 20)
            api.merge(ROLLOUT, "default", "agent", {"spec": {"version": "v2"}})
            eventually(lambda: status().get("phase") == "Observing", 30)
            asleep.send_signal(signal.SIGSTOP)  # the leader is paused; the other one takes over and goes on
            eventually(
                lambda: status().get("stableVersion") == "v2" and status()["phase"] == "Stable",
                90,
                json.dumps(status()),
            )
            assert status()["result"] == "promoted"
            before = api.get(HTTP_ROUTE, "default", "agent")["spec"]
            asleep.send_signal(signal.SIGCONT)
            assert asleep.wait(120) == 1, "whoever has lost the lease ends, and says so by its exit code"
            assert api.get(HTTP_ROUTE, "default", "agent")["spec"] == before

            versions["v1"].failing = 0.6
            time.sleep(1.0)
            api.merge(ROLLOUT, "default", "agent", {"spec": {"version": "v1"}})
            eventually(lambda: status().get("phase") == "RolledBack", 60, json.dumps(status()))
            assert "task-success" in status()["message"] and status()["stableVersion"] == "v2"
            eventually(lambda: not api.get(ROLLOUT, "default", "agent")["metadata"].get("finalizers"))
            refs = api.get(HTTP_ROUTE, "default", "agent")["spec"]["rules"][1]["backendRefs"]
            assert [each["weight"] for each in refs] == [0, 100]
            told = 'rollout_phase{namespace="default",phase="RolledBack",rollout="agent"} 1.0'
            eventually(lambda: told in probe(port, "/metrics")[1], 30, "the metrics page follows the status")

            controller.send_signal(signal.SIGTERM)
            assert controller.wait(120) == 0
            assert api.get(LEASE, "rollout-system", "rollout-controller")["spec"]["holderIdentity"] == "", (
                "the lease is let go of"
            )
        finally:
            for process in (asleep, controller):
                process.kill()
                process.wait(10)
    assert [release.result for release in history_configmap.read(api, api.get(ROLLOUT, "default", "agent"))[1]] == [
        "promoted",
        "rolled-back",
    ]
    assert users.lost == [] and set(users.by_version) == {"v1", "v2"}
