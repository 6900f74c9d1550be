"""The verbs against a cluster, as a pipeline or a person runs them: a process, a kubeconfig, an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT, COMMAND, annotation_of, commands_of
from rollout.adapters.storage.kubernetes import KubernetesStore
from rollout.errors import Busy, NotFound
from rollout.model.status.status import Status
from tests import outputs
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.resources import Refusal
from tests.fakes.server import FakeApi, kubeconfig, serving
from tests.rollout_commands import command

LONG = agents.policy(canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}})


class Shell:
    """Runs `rollout` with a kubeconfig, in an empty directory."""

    def __init__(self, world, path, url):
        self.world, self.path = world, path
        config = kubeconfig(path / "kubeconfig", url)
        self.env = {**os.environ, "KUBECONFIG": str(config), "NO_COLOR": "1", "COLUMNS": "100"}
        (path / "empty").mkdir()

    def start(self, *arguments):
        command = [sys.executable, "-m", "rollout.cli.app", *arguments]
        return subprocess.Popen(
            command, env=self.env, cwd=self.path / "empty", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __call__(self, *arguments, expect=0):
        done = command(*arguments, cwd=self.path / "empty", env=self.env)
        assert done.returncode == expect, (arguments, done)
        return done.stdout, done.stderr


@contextmanager
def shell(tmp_path, **world):
    with ClusterWorld(**world) as made, serving(made.cluster, token="secret-token") as url:
        made.until(lambda status: status.get("stableVersion") == "v1")
        yield Shell(made, tmp_path, url)


def last_line(err):
    return err.strip().splitlines()[-1]


def begun(process):
    """Wait until a process has said where its rollout stands: that comes first, long before anything changes."""
    assert "Observing" in process.stderr.readline()
    return process


def denied(method, path):
    """An admission policy that lets no weight be changed."""
    if method == "PATCH" and path.endswith("/httproutes/agent"):
        raise Refusal(422, "Invalid", "denied request: ask the network team")


def test_an_abort_is_seen_through(tmp_path):
    with shell(tmp_path, policy=LONG) as rollout:
        rollout.world.want("v2")
        rollout.world.phase("Observing")
        _, err = rollout("abort", "-r", "enough")
        assert "v2 gets no more traffic, v1 is stable" in err and rollout.world.shares() == {"v1": 100, "v2": 0}


def test_a_rollback_that_cannot_be_carried_out_exits_5_with_the_servers_words(tmp_path):
    with shell(tmp_path, policy=LONG) as rollout:
        world = rollout.world
        world.want("v2")
        world.phase("Observing")
        waiting = begun(rollout.start("wait", "--timeout", "300s"))
        world.cluster.fault = denied
        _, err = rollout("abort", expect=5)
        assert "ask the network team" in err and "httpRoute/agent/chat" in err
        out, err = waiting.communicate(timeout=180)
        assert waiting.returncode == 5 and "ask the network team" in out, (out, err)
        assert last_line(err) == "(exit 5: the traffic could not be moved back)"
        world.cluster.fault = None
        world.phase("RolledBack")


def test_a_promotion_that_somebody_has_set_back_is_none(tmp_path):
    with shell(tmp_path) as rollout:
        world = rollout.world
        world.want("v2")
        world.until(lambda status: status.get("stableVersion") == "v2" and status["phase"] == "Stable")
        rollout("wait", "--timeout", "180s")
        back = [
            {"op": "replace", "path": f"/spec/rules/1/backendRefs/{at}/weight", "value": weight}
            for at, weight in enumerate((100, 0))
        ]
        world.api.patch(HTTP_ROUTE, "default", "agent", back)
        world.until(lambda _: world.condition("Ready")["status"] == "False")
        out, err = rollout("wait", "--timeout", "180s", expect=4)
        assert "v2 is stable, but httpRoute/agent/chat sends traffic to v1 100 %" in out
        assert last_line(err) == "(exit 4: the weights of the route were changed after the release)"


def test_a_release_from_start_to_history(tmp_path):
    with shell(tmp_path) as rollout:
        out, _ = rollout("start", "v2")
        assert "spec.version is now v2" in out and rollout.world.get()["spec"]["version"] == "v2"
        out, err = rollout("wait", "--timeout", "180s")
        assert "v2 is promoted" in out and last_line(err) == "(exit 0: promoted)"
        assert "v2" in rollout("status")[0] and "default/agent" in rollout("list", "-A")[0]
        assert "promoted" in rollout("history")[0] and "task-success" in rollout("explain")[0]
        document = outputs.document(rollout("status", "-o", "json")[0], "Rollout")
        assert (
            document["status"]["stableVersion"] == "v2" and document["spec"]["backends"]["service"] == "$name-$version"
        )
        assert "nothing to abort: v2 is promoted already" in rollout("abort", expect=2)[0]


def test_a_bad_release_exits_3_with_the_reason(tmp_path):
    with shell(tmp_path) as rollout:
        rollout.world.fails["v2"] = 0.7
        out, err = rollout("start", "v2", "--wait", "--timeout", "180s", "-o", "json", expect=3)
        document = outputs.document(out, "Rollout")
        assert document["exitCode"] == 3 and "is worse" in document["sentence"]
        assert last_line(err) == "(exit 3: rolled back, or stopped by a gate)"
        lines = [line for line in err.splitlines() if "agent Observing" in line]
        assert len(lines) == len(set(lines)) >= 1, "one line a change"


def test_waiting_ends_when_what_was_waited_for_is_gone(tmp_path):
    """A newer version, a deletion, one of the same name: 4, and never 0."""
    with shell(tmp_path, policy=LONG) as rollout:
        world = rollout.world
        agents.version(world.api, "v3")
        world.want("v2")
        world.phase("Observing")
        waiting = begun(rollout.start("wait", "agent", "--timeout", "300s"))
        world.want("v3")
        _, err = waiting.communicate(timeout=180)
        assert waiting.returncode == 4 and "superseded by v3" in last_line(err)
        world.want("v1")
        world.phase("Stable", "RolledBack")
        rollout("wait", "agent", "--timeout", "180s")
        world.want("v2")
        world.phase("Observing")
        waiting = begun(rollout.start("wait", "agent", "--timeout", "300s"))
        world.api.delete(ROLLOUT, "default", "agent")
        gone = time.monotonic() + 90
        while time.monotonic() < gone and waiting.poll() is None:
            time.sleep(0.1)
        out, err = waiting.communicate(timeout=180)
        assert waiting.returncode == 4, (out, err)


def test_waiting_survives_an_api_that_is_away_and_tells_when_time_is_up(tmp_path):
    with shell(tmp_path, policy=LONG) as rollout:
        world = rollout.world
        world.want("v2")
        world.phase("Observing")
        world.cluster.down = True
        waiting = rollout.start("wait", "agent", "--timeout", "10s")
        assert "tried again until the timeout" in waiting.stderr.readline()
        world.cluster.down = False
        out, err = waiting.communicate(timeout=180)
        assert waiting.returncode == 124 and "(exit 124: not over after 10 s" in last_line(err), (out, err)


def test_waiting_ends_with_5_once_it_is_sure_that_it_may_not(tmp_path):
    with shell(tmp_path, policy=LONG) as rollout:
        rollout.world.want("v2")
        rollout.world.phase("Observing")
        waiting = begun(rollout.start("wait", "agent", "--timeout", "180s"))
        rollout.world.cluster.allowed = lambda verb, resource, place: (
            "process_request" not in threading.current_thread().name
        )
        _, err = waiting.communicate(timeout=180)
        assert waiting.returncode == 5 and "forbidden" in err


def test_waiting_at_a_pause_fails_where_that_is_asked_for(tmp_path):
    with shell(tmp_path, policy=LONG) as rollout:
        rollout("start", "v2")
        rollout.world.phase("Observing")
        out, _ = rollout("pause", "-r", "lunch")
        assert "the weight stays" in out
        _, err = rollout("wait", "--on-pause", "fail", "--timeout", "30s", expect=4)
        assert last_line(err) == "(exit 4: waiting for a human)"
        rollout("resume")
        out, _ = rollout("abort", "-r", "enough")
        assert "go back to v1" in out
        rollout.world.phase("RolledBack")
        assert rollout.world.status()["lastCommand"]["reason"] == "enough"


def test_who_may_not_or_cannot_reach_it_exits_5_and_a_wrong_name_2(tmp_path):
    with shell(tmp_path) as rollout:
        rollout.world.cluster.allowed = lambda verb, resource, place: (
            "process_request" not in threading.current_thread().name
        )
        for verb in (("status",), ("wait",), ("start", "v2")):
            _, err = rollout(*verb, expect=5)
            assert "cannot" in err, verb
        rollout.world.cluster.allowed = None
        assert "there is no rollout called agnet" in rollout("status", "agnet", expect=2)[1]
        assert "did you mean agent?" in rollout("status", "agnet", expect=2)[1]
        assert "right form" in rollout("start", "V/2", expect=2)[1]
        assert "cannot be used" in rollout("status", "--context", "nowhere", expect=2)[1]
        rollout.env["KUBECONFIG"] = str(kubeconfig(tmp_path / "dead", "http://127.0.0.1:1"))
        _, err = rollout("status", expect=5)
        assert "Traceback" not in err and "no answer from the Kubernetes API" in err


def test_what_is_wrong_with_a_resource_is_shown_where_people_look(tmp_path):
    with shell(tmp_path) as rollout:
        rollout.world.api.merge(ROLLOUT, "default", "agent", {"spec": {"policyRef": {"name": "nowhere"}}})
        rollout.world.until(lambda _: rollout.world.condition("Stalled").get("status") == "True")
        assert "there is no RolloutPolicy nowhere" in rollout("status")[0] and "PolicyNotFound" in rollout("list")[0]


def test_the_definitions_come_from_the_command_line():
    import yaml

    done = subprocess.run([sys.executable, "-m", "rollout.cli.app", "crd"], capture_output=True, text=True, check=True)
    assert [each["metadata"]["name"] for each in yaml.safe_load_all(done.stdout)] == [
        "rollouts.rollout.dev",
        "rolloutpolicies.rollout.dev",
    ]


# -- the shelf, in process ---------------------------------------------------------------------------------------------


@pytest.fixture
def world():
    with ClusterWorld(start=False) as made:
        yield made


def test_a_command_waits_for_the_one_before_and_an_abort_never_does(world):
    shelf, now = KubernetesStore(FakeApi(world.cluster, "rollout-cli"), "default"), datetime.now(UTC)
    first = shelf.append("agent", "pause", "ada", "because", now, Status())
    with pytest.raises(Busy, match="another command waits"):
        shelf.append("agent", "resume", "ada", "", now, Status())
    abort = shelf.append("agent", "abort", "ada", "burns", now, Status())
    assert {command.id for command in commands_of(world.get())} == {first, abort}
    with pytest.raises(NotFound):
        shelf.append("nobody", "pause", "ada", "", now, Status())


def test_a_command_reads_back_as_it_was_given(world):
    from rollout.engine.facts import Command

    given = Command(
        "id-1", "promote", "ada", 'wé said "go"', datetime(2026, 1, 1, tzinfo=UTC), "Observing", 2, "v1", "sha256:v1:x"
    )
    key, text = annotation_of(given)
    found = world.get()
    found["metadata"]["annotations"] = {key: text}
    assert commands_of(found) == (given,) and "\\u" not in text
    assert text.count('"actor"') == 1 and '"actor": "ada"' in text


@pytest.mark.parametrize("text", ["broken", "", "[]", "7", '{"reason": 7, "id": {"a": 1}}', '{"actor": null}'])
def test_an_abort_is_understood_however_it_is_written(world, text):
    found = world.get()
    found["metadata"]["annotations"] = {ABORT: text}
    (command,) = commands_of(found)
    assert command.verb == "abort" and command.id and command.actor


@pytest.mark.parametrize(
    "text",
    [
        "promote",
        "[]",
        "{}",
        '{"id": "x", "verb": "explode"}',
        '{"verb": "pause"}',
        '{"id": "x", "verb": "abort"}',
        '{"id": "x", "verb": ["pause"]}',
    ],
)
def test_what_is_no_command_asks_for_nothing(world, text):
    found = world.get()
    found["metadata"]["annotations"] = {COMMAND: text}
    assert commands_of(found) == ()
