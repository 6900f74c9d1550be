"""The store: durable, one writer, commands from anybody, and no surprises from other releases."""

import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import UTC, datetime

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.adapters.storage.sqlite_schema import COMMANDS_PENDING_MAX, as_json
from rollout.engine.planned import Plan
from rollout.engine.releases import finished
from rollout.errors import Busy, InvalidInput, StoreUnavailable
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.statuses import status_with
from tests.world import World, policy, spec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AGENT = Metadata(name="agent")
ROLLOUT = Rollout(AGENT, spec("v2", policy()), Status(stable_version="v1"))


FORMAT_1 = """
CREATE TABLE rollouts (
  name TEXT PRIMARY KEY, namespace TEXT NOT NULL, spec TEXT NOT NULL, status TEXT NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0, holder TEXT NOT NULL DEFAULT '');
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL,
  body TEXT NOT NULL);
CREATE TABLE commands (
  id TEXT PRIMARY KEY, rollout TEXT NOT NULL, verb TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  at TEXT NOT NULL, phase TEXT, step INTEGER, handled INTEGER NOT NULL DEFAULT 0);
PRAGMA user_version = 1;
"""


@pytest.fixture
def store(tmp_path):
    return SqliteStore(tmp_path / "state", create=True)


def decision(kind: str = "transition", message: str = "because") -> Decision:
    return Decision(
        at=NOW, phase=Phase.OBSERVING, step=0, weight_bp=1000, kind=kind, reason=Reason.HOLDING, message=message
    )


def planned(status: Status, *decisions: Decision, before: Status = ROLLOUT.status) -> Plan:
    """Return what is to be saved, with the release that it ends."""
    return Plan(status, decisions=decisions, finished=finished(before, status, NOW))


def test_what_is_saved_is_there_for_whoever_comes_next(store):
    held = store.hold(AGENT, lambda _: ROLLOUT)
    status = status_with(stable_version="v1", candidate_version="v2", phase=Phase.OBSERVING, harm_e=1.2345678901234567)
    held.save(planned(status, decision(), decision("sample")))
    held.release()
    again = SqliteStore(store.directory)
    assert again.get("agent").rollout.status == status
    assert again.get("agent").rollout.spec == ROLLOUT.spec
    assert [each.kind for each in again.decisions("agent", samples=True, limit=10)] == ["transition", "sample"]
    assert [each.kind for each in again.decisions("agent", samples=False, limit=10)] == ["transition"]


def test_only_one_controller_holds_a_rollout(store):
    held = store.hold(AGENT, lambda _: ROLLOUT)
    assert store.is_held("agent")
    with pytest.raises(Busy, match="another controller"):
        SqliteStore(store.directory).hold(AGENT, lambda _: ROLLOUT)
    other = store.hold(Metadata(name="other"), lambda _: Rollout(Metadata(name="other"), ROLLOUT.spec))
    held.release()
    other.release()
    assert not store.is_held("agent")
    store.hold(AGENT, lambda recorded: recorded).release()


def test_whoever_declares_another_spec_is_heard_by_the_holder_and_changes_no_status(store):
    held = store.hold(AGENT, lambda _: ROLLOUT)
    held.save(planned(Status(stable_version="v1", message="mine"), decision()))
    SqliteStore(store.directory).declare(
        Rollout(AGENT, ROLLOUT.spec.model_copy(update={"version": "v3"}), Status(message="?"))
    )
    assert held.load().spec.version == "v3" and held.load().status.message == "mine"
    held.save(planned(Status(stable_version="v1", message="later")))
    assert store.get("agent").rollout.spec.version == "v3", "saving the status leaves what is declared alone"
    held.release()


def test_what_is_declared_first_is_there_with_its_status(store):
    store.declare(ROLLOUT)
    assert store.get("agent").rollout == ROLLOUT and store.names() == ["agent"] and not store.get("agent").holder


def test_several_can_open_a_new_store_at_once(tmp_path):
    code = f"from pathlib import Path; from rollout.adapters.storage.sqlite import SqliteStore; SqliteStore(Path({str(tmp_path)!r}) / 's', create=True)"
    for attempt in range(3):
        (tmp_path / "s").exists() and (tmp_path / "s" / "rollouts.db").unlink()
        children = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(5)]
        assert [child.communicate()[1] for child in children] == [""] * 5, attempt


def test_the_store_of_the_release_before_is_brought_up_to_date(tmp_path):
    """Format 1 had no releases and no version in its commands."""
    path = tmp_path / "state" / "rollouts.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FORMAT_1)
        old.execute(
            "INSERT INTO rollouts (name, namespace, spec, status) VALUES ('agent', 'default', ?, ?)",
            (as_json(ROLLOUT.spec), as_json(ROLLOUT.status)),
        )
        old.execute(
            "INSERT INTO commands (id, rollout, verb, actor, reason, at) VALUES ('c', 'agent', 'pause', 'a', '', '2026-01-01T00:00:00+00:00')"
        )
        old.commit()
    store = SqliteStore(path.parent)
    held = store.hold(AGENT, lambda recorded: recorded)
    assert held.load() == ROLLOUT and [each.verb for each in held.commands()] == ["pause"]
    assert store.releases("agent", 10) == []
    held.release()


def test_a_release_that_ends_twice_is_told_once_by_its_last_end(store):
    """Superseded, and aborted before everything was back on stable."""
    held = store.hold(AGENT, lambda _: ROLLOUT)
    begun = status_with(
        stable_version="v1", candidate_version="v2", phase=Phase.OBSERVING, started_at=NOW, phase_since=NOW
    )
    for phase, result in ((Phase.OBSERVING, None), (Phase.SUPERSEDING, None), (Phase.ROLLED_BACK, Result.ABORTED)):
        status = status_with(begun, phase=phase, result=result)
        held.save(planned(status, decision(), before=held.load().status))
    assert [each.result for each in store.releases("agent", 10)] == [Result.ABORTED]
    held.release()


def test_bytes_that_are_no_text_never_keep_an_abort_from_being_recorded(store):
    held = store.hold(AGENT, lambda _: ROLLOUT)
    store.append("agent", "abort", "ad\udce9", "caf\udce9", NOW, Status())
    assert held.commands()[0].reason == "caf?"
    held.release()


def test_a_late_write_of_a_former_holder_fails_and_changes_nothing(store):
    former = store.hold(AGENT, lambda _: ROLLOUT)
    former._lock.close()  # as if the file system had lost the lock
    newer = store.hold(AGENT, lambda recorded: recorded)
    newer.save(planned(Status(stable_version="v1", message="newer")))
    with pytest.raises(StoreUnavailable, match="held by another"):
        former.save(planned(Status(stable_version="v1", message="older"), decision()))
    assert store.get("agent").rollout.status.message == "newer"
    assert store.decisions("agent", samples=True, limit=10) == []
    newer.release()


def test_a_killed_holder_lets_go_of_its_lease(store):
    script = """
        import os, signal, sys
        from pathlib import Path
        from rollout.adapters.storage.sqlite import SqliteStore
        from tests.unit.test_sqlite import AGENT, ROLLOUT
        held = SqliteStore(Path(sys.argv[1]), create=True).hold(AGENT, lambda _: ROLLOUT)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(store.directory)], check=False)
    assert done.returncode == -9
    store.hold(AGENT, lambda recorded: recorded).release()


def test_commands_reach_the_holder_once_and_in_order(store):
    held = store.hold(AGENT, lambda _: ROLLOUT)
    first = store.append("agent", "pause", "ada", "lunch", NOW, ROLLOUT.status)
    second = store.append("agent", "resume", "ada", "", NOW.replace(minute=1), ROLLOUT.status)
    assert [command.id for command in held.commands()] == [first, second]
    assert held.commands()[0].phase == Phase.STABLE and held.commands()[0].reason == "lunch"
    outcome = CommandOutcome(id=first, verb="pause", actor="ada", reason="", accepted=True, message="ok", at=NOW)
    held.save(planned(Status(handled=(first,), last_command=outcome)))
    assert [command.id for command in held.commands()] == [second]
    held.release()


def test_too_many_unanswered_commands_are_refused_but_an_abort_never_is(store):
    store.hold(AGENT, lambda _: ROLLOUT).release()
    for _ in range(COMMANDS_PENDING_MAX):
        store.append("agent", "pause", "ada", "", NOW, ROLLOUT.status)
    with pytest.raises(Busy):
        store.append("agent", "pause", "ada", "", NOW, ROLLOUT.status)
    store.append("agent", "abort", "ada", "", NOW, ROLLOUT.status)


def test_a_start_that_fails_changes_nothing(store):
    store.hold(AGENT, lambda _: ROLLOUT).release()

    def refuse(_: Rollout | None) -> Rollout:
        raise InvalidInput([])

    with pytest.raises(InvalidInput):
        store.hold(AGENT, refuse)
    assert store.get("agent").rollout == ROLLOUT and not store.is_held("agent")


def test_the_store_of_a_newer_release_is_refused_and_left_alone(store):
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(InvalidInput, match="newer release"):
        SqliteStore(store.directory)


def test_a_file_that_is_no_database_is_told_as_such(tmp_path):
    (tmp_path / "rollouts.db").write_bytes(b"no SQLite database at all" * 100)
    with pytest.raises(StoreUnavailable, match="no SQLite database"):
        SqliteStore(tmp_path)


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path):
    with pytest.raises(StoreUnavailable, match="nothing was started"):
        SqliteStore(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_writes_are_durable_and_readers_do_not_block_the_writer(store):
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    held = store.hold(AGENT, lambda _: ROLLOUT)
    with closing(sqlite3.connect(store.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM rollouts").fetchall()
        held.save(planned(Status(message="written meanwhile")))
    assert store.get("agent").rollout.status.message == "written meanwhile"
    held.release()


def test_a_list_reads_again_only_what_was_written_again(tmp_path, monkeypatch):
    store = SqliteStore(tmp_path, create=True)
    world = World()
    for name in ("one", "two"):
        store.declare(Rollout(Metadata(name=name), world.status_store.rollout.spec, Status(stable_version="v1")))
    assert [row.rollout.metadata.name for row in store.all()] == ["one", "two"]
    held = store.hold(Metadata(name="two"), lambda recorded: recorded)
    held.save(Plan(Status(stable_version="v2")))
    before = {row.rollout.metadata.name: row.rollout for row in store.all()}
    assert before["two"].status.stable_version == "v2" and store.all()[1].holder
    held.release()
    again = {row.rollout.metadata.name: row.rollout for row in store.all()}
    assert again["one"] is before["one"] and store.all()[1].holder == ""
