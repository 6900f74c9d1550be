"""A cluster's rollouts, over the fake API server and a controller that answers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from rollout.dashboard import cluster_source
from rollout.dashboard.cluster_source import ClusterSource
from rollout.errors import Busy, Forbidden, NotFound
from tests.dashboard.conftest import visiting
from tests.fakes.clustered import ClusterWorld
from tests.fakes.server import FakeApi, kubeconfig, serving
from tests.rollout_commands import command


@pytest.fixture(scope="module")
def world():
    with ClusterWorld() as world:
        world.until(lambda status: status.get("stableVersion") == "v1")
        yield world


def source(world, namespace=None):
    return ClusterSource(FakeApi(world.cluster, "dashboard"), namespace, "all namespaces")


def test_a_rollout_of_a_cluster_has_a_page_and_is_steered_by_its_annotation(world):
    with visiting(source(world)) as client:
        client.get("/", params={"token": client.access.token})
        assert "/rollouts/default/agent" in client.get("/").text
        page = client.get("/rollouts/default/agent").text
        assert "v1" in page and "formaction" not in page
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        answer = client.post("/rollouts/default/agent/abort", data={"csrf": csrf})
        assert "nothing to abort" in answer.text


def test_only_the_namespace_that_is_shown_can_be_asked_for(world):
    with pytest.raises(NotFound, match="is not shown here"):
        source(world, "agents").store("default")
    assert source(world, "agents").all("default") == []
    assert [row.rollout.metadata.name for row in source(world).all("default")] == ["agent"]


def test_who_may_not_list_everything_is_told_and_may_name_a_namespace(world):
    world.cluster.allowed = lambda verb, resource, place: not (verb == "list" and place["namespace"] is None)
    try:
        with visiting(source(world)) as client:
            client.get("/", params={"token": client.access.token})
            answer = client.get("/")
            assert answer.status_code == 403 and "cannot list" in answer.text and 'name="namespace"' in answer.text
            assert "/rollouts/default/agent" in client.get("/", params={"namespace": "default"}).text
    finally:
        world.cluster.allowed = None


def test_a_right_that_is_missing_is_the_api_servers_to_tell(world):
    world.cluster.allowed = lambda verb, resource, _: verb not in ("patch", "update") or resource.plural != "rollouts"
    try:
        row = source(world).store("default").get("agent")
        with pytest.raises(Forbidden, match="cannot patch"):
            source(world).ask(row, "abort", "")
    finally:
        world.cluster.allowed = None


def test_a_controller_that_does_not_answer_is_waited_for_in_bounds(monkeypatch):
    monkeypatch.setattr(cluster_source, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(cluster_source.KubernetesStore, "poll_s", 0.05)
    with ClusterWorld(start=False) as world:
        row = source(world).store("default").get("agent")
        with pytest.raises(Busy, match="Is it running"):
            source(world).ask(row, "abort", "")


def test_the_command_prints_one_address_that_lets_its_reader_in_and_ends_on_a_signal(world, tmp_path):
    with serving(world.cluster, token="secret-token") as url:
        env = {**os.environ, "KUBECONFIG": str(kubeconfig(tmp_path / "kubeconfig", url)), "NO_COLOR": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "rollout", "dashboard", "--listen", "127.0.0.1:0", "-A"],
            env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            address = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}", address), process.stderr.read()
            with httpx.Client(follow_redirects=True, timeout=30) as client:
                assert "/rollouts/default/agent" in client.get(address).text
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "") and "Ctrl-C ends the dashboard" in err and "secret-token" not in err


@contextmanager
def daemon(tmp_path, *options, env=None):
    """A daemon that serves the dashboard too, and the address that it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rollout", "daemon", "--dashboard", "127.0.0.1:0", *options],
        env={**os.environ, "NO_COLOR": "1", **(env or {})},
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        lines = (process.stdout.readline() for _ in range(100))
        yield next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+(?:/\S*)?", line)))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_a_daemon_on_one_machine_serves_its_rollouts_to_whoever_has_its_address(tmp_path):
    with (
        daemon(tmp_path, "--state", str(tmp_path / "state")) as address,
        httpx.Client(follow_redirects=True, timeout=30) as client,
    ):
        assert "No rollouts yet" in client.get(address).text
        assert httpx.get(address.partition("?")[0]).status_code == 401


def test_a_daemon_in_a_cluster_asks_each_user_for_a_token_and_lends_none(world, tmp_path):
    with serving(world.cluster, token="secret-token") as url:
        env = {"KUBECONFIG": str(kubeconfig(tmp_path / "kubeconfig", url))}
        with daemon(tmp_path, "-n", "elsewhere", env=env) as address:
            assert httpx.get(address).status_code == 401
            answer = httpx.post(address + "/sign-in", data={"token": "nobody-knows-it"})
            assert answer.status_code == 403 and "does not know this token" in answer.text


@pytest.mark.parametrize("listen", ["0.0.0.0:3200", "example.com:80", "nonsense", "127.0.0.1:99999", ":3200"])
def test_an_address_that_others_could_reach_is_refused(recorded, tmp_path, listen):
    done = command("dashboard", "--state", str(recorded), "--listen", listen, cwd=tmp_path)
    assert done.returncode == 2 and "--listen" in done.stderr and "Traceback" not in done.stderr


def test_without_a_store_the_command_says_how_to_begin(tmp_path):
    done = command("dashboard", "--state", str(tmp_path / "none"), cwd=tmp_path)
    assert done.returncode == 5 and "nothing was started there" in done.stderr
