"""README's install commands, typed at a real API server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_manifests_are_taken_and_taken_again(server):
    again = server.kubectl("apply", "--server-side", "-k", "manifests/")
    assert "conflict" not in again.stderr and "Warning" not in again.stderr, again.stderr
    pods = json.loads(server.kubectl("-n", "rollout-system", "get", "deployment", "-o", "json").stdout)
    assert [each["metadata"]["name"] for each in pods["items"]] == ["rollout-controller"]


def test_the_variant_for_one_namespace_is_taken(server):
    server.kubectl("create", "namespace", "agents", check=False)
    server.kubectl("apply", "--server-side", "-k", "manifests/crds")
    server.kubectl("apply", "--server-side", "--force-conflicts", "-k", "manifests/namespaced")
    deployment = server.kubectl("-n", "rollout-system", "get", "deployment", "rollout-controller", "-o", "json").stdout
    arguments = json.loads(deployment)["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[:3] == ["daemon", "--namespace", "agents"]
    server.kubectl("apply", "--server-side", "--force-conflicts", "-k", "manifests/")


@pytest.mark.parametrize("path", sorted((ROOT / "manifests/examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_taken(server, path):
    server.kubectl("create", "namespace", "agents", check=False)
    done = server.kubectl("apply", "--server-side", "--dry-run=server", "-f", str(path))
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_policy_is_taken(server, namespace, path):
    done = server.kubectl("-n", namespace, "apply", "--server-side", "-f", str(path))
    assert "Warning" not in done.stderr, done.stderr
