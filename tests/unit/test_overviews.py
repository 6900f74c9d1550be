"""`rollout status`, answered at once: by what was kept beside the status, and only while that is as it was."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from rollout.adapters.storage.overviews import kept
from rollout.adapters.storage.sqlite import SqliteStore
from rollout.engine.planned import Plan
from rollout.model.rollout import Rollout
from rollout.redaction import SECRETS
from rollout.views.overview import FORMAT, read
from rollout.views.summary import overview_of
from tests.dashboard import stores
from tests.rollout_commands import command
from tests.statuses import status_with
from tests.world import World, blue_green, policy

NAME = "support-agent"
WORLDS = {
    "under way": stores.under_way,
    "promoted": stores.promoted,
    "rolled back": stores.rolled_back,
    "waiting for an approval": stores.waiting_for_approval,
    "a preview": lambda: _run(blue_green(), 90),
    "at the beginning": lambda: _run(World(), 1),
}


def _run(world: World, seconds: float) -> World:
    world.run(seconds)
    return world


def saved(directory, world: World) -> SqliteStore:
    """A store as it is after the last turn of a world."""
    store = stores.record(directory / ".rollout", NAME, world)
    row = store.get(NAME)
    held = store.hold(row.rollout.metadata, lambda recorded: recorded)
    held.save(Plan(row.rollout.status))
    held.release()
    return store


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_it_says_what_the_whole_command_line_says(world, tmp_path):
    saved(tmp_path, world())
    assert kept(tmp_path / ".rollout", None) is not None
    env = {**os.environ, "COLUMNS": "90"}
    at_once, named = command("status", cwd=tmp_path, env=env), command("status", NAME, cwd=tmp_path, env=env)
    whole = command("status", "--state", ".rollout", cwd=tmp_path, env=env)
    assert at_once.stdout.splitlines()[1:] == whole.stdout.splitlines()[1:] == named.stdout.splitlines()[1:]
    assert at_once.stdout.startswith(f"{NAME}  v") and at_once.returncode == 0
    verbose = [command("status", *more, "-v", cwd=tmp_path, env=env).stdout for more in ([], ["--state", ".rollout"])]
    assert verbose[0].splitlines()[1:] == verbose[1].splitlines()[1:]


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_what_is_kept_is_read_as_it_was(world):
    made = world()
    overview = overview_of(made.status_store.rollout, made.clock.at)
    again = read(overview.text())
    assert again is not None and again.text() == overview.text() and again.kpis == overview.kpis


def test_it_imports_neither_the_model_nor_the_command_line(tmp_path):
    saved(tmp_path, stores.under_way())
    code = (
        "import sys; sys.argv = ['rollout', 'status']\n"
        "from rollout.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('pydantic', 'typer', 'rich', 'structlog', 'yaml')])"
    )
    env = {**os.environ, "PYTHONPATH": str(stores.__file__).partition("/tests/")[0]}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(NAME) and done.stdout.splitlines()[-1] == "[]"


def test_a_spec_that_was_declared_since_is_not_hidden_by_what_was_kept(tmp_path):
    store = saved(tmp_path, stores.under_way())
    row = store.get(NAME)
    store.declare(Rollout(row.rollout.metadata, row.rollout.spec.model_copy(update={"policy": policy(drain={"deadline": "1h"})}), row.rollout.status))  # fmt: skip
    assert kept(tmp_path / ".rollout", NAME) is None
    shown = re.sub(r"[\s│]+", " ", command("status", cwd=tmp_path).stdout)
    assert "The change counts for the next release" in shown


def test_a_status_that_another_release_has_written_is_not_hidden_by_what_was_kept(tmp_path):
    store = saved(tmp_path, stores.under_way())
    status = status_with(store.get(NAME).rollout.status, message="written by another release")
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE rollouts SET status = ?", (status.model_dump_json(by_alias=True, exclude_none=True),))
    assert "written by another release" in command("status", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", json.dumps({"format": FORMAT}), json.dumps({"format": FORMAT + 1})]
)
def test_what_is_damaged_or_of_another_release_is_not_read(body, tmp_path):
    store = saved(tmp_path, stores.under_way())
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE overviews SET body = ?", (body,))
    assert kept(tmp_path / ".rollout", NAME) is None
    assert command("status", cwd=tmp_path).stdout.startswith(NAME)


def test_of_several_rollouts_one_must_be_named(tmp_path):
    saved(tmp_path, stores.under_way())
    stores.record(tmp_path / ".rollout", "another", stores.under_way())
    assert kept(tmp_path / ".rollout", None) is None and kept(tmp_path / ".rollout", NAME) is not None
    refused = command("status", cwd=tmp_path)
    assert refused.returncode == 2 and "say which" in refused.stderr


def test_a_file_that_names_a_cluster_is_not_answered_from_this_machine(tmp_path):
    saved(tmp_path, stores.under_way())
    (tmp_path / "rollout.yaml").write_text("kind: Rollout\nspec: {backends: {service: $name-$version}}\n")
    asked = command("status", cwd=tmp_path, env={**os.environ, "KUBECONFIG": str(tmp_path / "none")})
    assert asked.returncode == 2 and "none is configured" in asked.stderr


def test_the_state_that_the_environment_names_is_read(tmp_path):
    saved(tmp_path / "elsewhere", stores.under_way())
    env = {**os.environ, "ROLLOUT_STATE": str(tmp_path / "elsewhere" / ".rollout")}
    assert command("status", cwd=tmp_path, env=env).stdout.startswith(NAME)


def test_who_carries_it_out_is_asked_now_and_not_kept(tmp_path):
    store = saved(tmp_path, stores.under_way())
    assert "no controller is running" in command("status", cwd=tmp_path).stdout
    held = store.hold(store.get(NAME).rollout.metadata, lambda recorded: recorded)
    held.save(Plan(held.load().status))
    assert f"pid {os.getpid()} carries it out" in command("status", cwd=tmp_path).stdout
    held.release()


def test_a_secret_that_is_known_is_not_kept(tmp_path):
    SECRETS.note("overview-secret-77")
    store = saved(tmp_path, stores.under_way())
    held = store.hold(store.get(NAME).rollout.metadata, lambda recorded: recorded)
    held.save(Plan(status_with(held.load().status, message="cannot log in with overview-secret-77")))
    held.release()
    with closing(sqlite3.connect(store.path)) as database:
        (body,) = database.execute("SELECT body FROM overviews").fetchone()
    assert "overview-secret-77" not in body and "cannot log in with" in body


def test_a_fault_of_the_overview_keeps_no_release_from_being_written_down(tmp_path, monkeypatch):
    store = saved(tmp_path, stores.under_way())

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("rollout.adapters.storage.sqlite_status.overview_of", fail)
    held = store.hold(store.get(NAME).rollout.metadata, lambda recorded: recorded)
    held.save(Plan(status_with(held.load().status, message="it goes on")))
    held.release()
    assert store.get(NAME).rollout.status.message == "it goes on"
    assert "it goes on" in command("status", cwd=tmp_path).stdout
