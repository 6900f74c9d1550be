"""README's way into a cluster, typed at a real API server to the letter."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
import yaml

from rollout.adapters.kubernetes.resources import POLICY, ROLLOUT
from tests.cluster.world import RealWorld
from tests.fakes import agents
from tests.readme import ROOT, block_with

pytestmark = pytest.mark.real

LINES = block_with("kubectl apply")


class ReadersWorld(RealWorld):
    """What README takes for granted: two versions of a support agent, a gateway, a Prometheus, and users."""

    name = "support-agent"

    def fit_the_example(self):
        """Fit the example to this place, as its reader does: its Prometheus, and steps that suit a test."""
        changes = {"canary": None, **agents.policy()["spec"]}
        self.api.merge(POLICY, self.namespace, "agent-canary", {"spec": changes})
        self.api.merge(ROLLOUT, self.namespace, self.name, {"spec": {"metrics": {"prometheus": {"url": self.url}}}})


def test_every_line_does_what_it_says(server):
    server.kubectl("create", "namespace", "agents", check=False)
    kubectl = f'#!/bin/sh\nexec {server.folder / "kubectl"} --kubeconfig {server.kubeconfig} "$@"\n'
    tools = server.path / "readers-bin"
    tools.mkdir()
    for name, script in (("kubectl", kubectl), ("rollout", f'#!/bin/sh\nexec {sys.executable} -m rollout "$@"\n')):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "KUBECONFIG": str(server.kubeconfig)}
    env |= {"HOME": str(server.path), "PYTHONPATH": str(ROOT)}
    example = next(line.split()[-1] for line in LINES if "manifests/examples" in line)
    with ReadersWorld(server, "agents", declared=False, start=False) as world:
        world.start()
        for line in LINES:
            done = subprocess.run(["bash", "-c", line], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
            if example in line:
                world.fit_the_example()
                world.until(lambda status: status.get("stableVersion") == "v1" and status.get("phase") == "Stable")
        assert "v2 is promoted" in done.stdout and world.shares() == {"v1": 0, "v2": 100}
        server.kubectl("delete", "-f", example, "--timeout=120s")  # other tests apply it too, as somebody else


def test_the_example_that_it_applies_is_the_one_whose_rollout_it_waits_for():
    documents = yaml.safe_load_all((ROOT / "manifests/examples/gateway-api.yaml").read_text())
    rollout = next(document for document in documents if document["kind"] == "Rollout")
    wait = next(shlex.split(line) for line in LINES if line.startswith("rollout wait"))
    assert rollout["metadata"] == {"name": wait[2], "namespace": wait[wait.index("-n") + 1]}
