"""An Envoy that users run themselves, steered through the files it watches, set up as the docs say."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack

import pytest
import yaml

from rollout.adapters.routers.envoy_managed import find_envoy
from tests.integration.agents import CANARY, Agent, Users, ask, document
from tests.integration.real import needs_envoy, rollout
from tests.network import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy]


def run(directory, *words: str, code: int = 0) -> str:
    done = rollout(*words, cwd=directory)
    out, err = done.communicate(timeout=300)
    assert done.returncode == code, (words, done.returncode, err)
    return out + err


def bootstrap(printed: str, admin: int, listen: int) -> dict:
    """What a user makes of the two pieces that `rollout router setup` prints."""
    host = {"socket_address": {"address": "127.0.0.1"}}
    pieces: dict = {}
    for piece in printed.split("# into ")[1:]:
        pieces |= yaml.safe_load("# " + piece)
    return {
        "node": {"id": "mine", "cluster": "mine"},
        "admin": {"address": {"socket_address": {**host["socket_address"], "port_value": admin}}},
        "dynamic_resources": pieces["dynamic_resources"],
        "static_resources": {
            "listeners": [
                {
                    "name": "mine",
                    "address": {"socket_address": {**host["socket_address"], "port_value": listen}},
                    "filter_chains": [{"filters": pieces["filters"]}],
                }
            ]
        },
    }


@pytest.fixture
def place(tmp_path):
    """A directory with a rollout.yaml for an Envoy of one's own, that Envoy running, and its address."""
    admin, listen, watched = free_port(), free_port(), tmp_path / "watched"
    watched.mkdir()
    with ExitStack() as stack:
        made = {"v1": Agent("v1"), "v2": Agent("v2")}
        for agent in made.values():
            stack.callback(agent.close)
        envoy = f'{{admin: "127.0.0.1:{admin}", directory: "{watched}"}}'
        (tmp_path / "rollout.yaml").write_text(document("agent", made, envoy, CANARY))
        config = tmp_path / "envoy.json"
        config.write_text(json.dumps(bootstrap(run(tmp_path, "router", "setup"), admin, listen)))
        with (tmp_path / "envoy.log").open("wb") as log:
            command = [find_envoy(), "--config-path", str(config), "--disable-hot-restart", "--log-level", "warn"]
            running = subprocess.Popen([*command, "--concurrency", "2"], stdout=log, stderr=log)

        def end() -> None:
            running.terminate()
            running.wait(10)

        stack.callback(end)
        eventually(lambda: _answers(f"127.0.0.1:{admin}"), 15, (tmp_path / "envoy.log").read_text())
        yield tmp_path, f"127.0.0.1:{listen}", running


def _answers(address: str) -> bool:
    try:
        return ask(address)[0] > 0
    except OSError:
        return False


def test_ones_own_envoy_is_steered_through_files_and_never_stopped(place):
    directory, listen, running = place
    run(directory, "start", "v1", "--stable", "v1")
    eventually(lambda: _answers(listen), 10)
    with Users(listen, rate=100) as users:
        assert "v2 is promoted" in run(directory, "start", "v2")
        assert "v2" in ask(listen)[1]
        assert "undo" in run(directory, "undo")
        assert ask(listen) == (200, "v1")
    assert users.lost == []
    assert "your own" in run(directory, "router", "stop", code=2) and running.poll() is None


def test_two_rollouts_never_share_the_directory_of_ones_own_envoy(place):
    directory, _, _ = place
    run(directory, "start", "v1", "--stable", "v1")
    text = (directory / "rollout.yaml").read_text().replace("name: agent", "name: other")
    (directory / "other.yaml").write_text(text)
    told = run(directory, "start", "v1", "--stable", "v1", "-f", "other.yaml", code=2)
    assert "used by the rollout agent" in told


def test_ones_own_envoy_that_does_not_answer_is_told_before_anything_changes(place):
    directory, _, running = place
    running.terminate()
    running.wait(10)
    assert "start your Envoy" in run(directory, "start", "v1", "--stable", "v1", code=2)
