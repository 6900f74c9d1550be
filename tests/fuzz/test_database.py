"""A database in which something has changed by itself: every verb says so, and none ends in a traceback."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.cli.app import command_line
from rollout.errors import RolloutError, StoreUnavailable
from tests.fuzz.odd import fuzz
from tests.world import World

VERBS = (["status", "agent"], ["status", "-o", "json"], ["explain", "agent"], ["history", "agent"], ["list"])


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A state directory with a rollout under way, decisions, and a command that waits."""
    directory = tmp_path_factory.mktemp("good")
    world = World()
    world.run(120)
    store = SqliteStore(directory, create=True)
    rollout = world.status_store.load()
    held = store.hold(rollout.metadata, lambda _: rollout)
    for plan in world.plans:
        held.save(plan)
    store.append(rollout.metadata.name, "abort", "ada", "x", datetime.now(UTC), rollout.status)
    held.release()
    return directory, rollout.metadata.name


def used(directory: Path, name: str) -> None:
    """Everything that a verb, or a controller, reads."""
    store = SqliteStore(directory)
    store.all()
    store.get(name)
    last = store.last_decision(name)
    store.decisions(name, samples=True, limit=1000)
    store.decisions_after(name, last - 10)
    store.releases(name, 10)
    held = store.hold(store.get(name).rollout.metadata, lambda recorded: recorded)
    try:
        held.load()
        held.commands()
    finally:
        held.release()


@fuzz
@given(data=st.data())
def test_a_byte_that_flips_is_told_or_changes_nothing_that_is_read(good, tmp_path_factory, data):
    directory, name = good
    damaged = tmp_path_factory.mktemp("damaged")
    content = bytearray((directory / "rollouts.db").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (damaged / "rollouts.db").write_bytes(content)
    try:
        used(damaged, name)
    except RolloutError as error:
        assert str(error)
    finally:
        shutil.rmtree(damaged)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"nonsense" * 1000], ids=["empty", "cut", "nonsense"])
def test_every_verb_tells_a_database_that_is_none(tmp_path, verb, content):
    (tmp_path / "rollouts.db").write_bytes(content)
    result = CliRunner().invoke(command_line(), [*verb, "--state", str(tmp_path)])
    assert isinstance(result.exception, StoreUnavailable), result.output
    assert "the store" in str(result.exception) and str(tmp_path) in str(result.exception)


def test_every_verb_tells_a_record_that_is_damaged(good, tmp_path):
    directory, name = good
    content = (directory / "rollouts.db").read_bytes()
    (tmp_path / "rollouts.db").write_bytes(content.replace(b'"phase":"', b'"phase":!'))
    for verb in VERBS:
        result = CliRunner().invoke(command_line(), [*verb, "--state", str(tmp_path)])
        assert result.exception is None or isinstance(result.exception, RolloutError | SystemExit), result.exception
    with pytest.raises(StoreUnavailable, match="damaged"):
        SqliteStore(tmp_path).get(name)
