"""Live conversations, looked at without running anything of theirs."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from rollout.contracts.contract_text import read
from rollout.contracts.samples import postgres as postgres_store
from rollout.contracts.samples import sqlite as sqlite_store
from rollout.contracts.samples.assess import assess
from rollout.contracts.samples.snapshot import Limits, hashed
from tests.langgraph.rows import BASE, DOC, ENUM, FLOW, INNER, JOIN, LOG, MODEL, SEND, adds, changed

RICH = changed(
    adds(MODEL, "many: Any = None"),
    (
        "class State(",
        "import datetime, decimal, pathlib, uuid\n@dataclass\nclass Card:\n    number: int\nclass Doc(BaseModel):\n    text: str\nclass State(",
    ),
    (
        "def plan(state):\n    return {}",
        'def plan(state):\n    return {"many": [uuid.UUID(int=1), datetime.datetime(2026, 1, 2), datetime.date(2026, 1, 2),'
        ' {"a", }, pathlib.Path("/x/y"), decimal.Decimal("1.5"), Card(4), Doc(text="t"), HumanMessage("hi"), b"raw"]}',
    ),
)


def surveyed(store):
    if store.startswith("postgres"):
        return postgres_store.survey(store, Limits())
    return sqlite_store.survey(Path(store), Limits())


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, stage):
    if request.param == "sqlite":
        return stage.store()
    address = request.getfixturevalue("postgres")
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
    return address


def contract_of(stage, place):
    return read(json.dumps(stage.play(place, stage.store(), ("contract",))[0]))


def test_waiting_nodes_are_counted_and_finished_conversations_wait_nowhere(stage, store):
    place = stage.version("old", BASE)
    for thread in ("a", "b"):
        stage.play(place, store, ("invoke", {"topic": "x"}), thread=thread)
    stage.play(place, store, ("invoke", {"topic": "x"}), ("resume", "yes"), thread="c")
    found = surveyed(store)
    assert found.complete and found.threads == 3
    waits = {each.thread: each.waiting for each in found.snapshots}
    assert waits == {hashed("a"): ("approve",), hashed("b"): ("approve",), hashed("c"): ()}


def test_who_wrote_a_conversation_is_known_where_the_agent_says_so(stage, store):
    stage.play(stage.version("v-7", BASE), store, ("invoke", {"topic": "x"}))
    assert {each.version for each in surveyed(store).snapshots} == {"v-7"}


def test_half_full_joins_pending_sends_and_graphs_inside_are_seen(stage, store):
    for name, source in (("join", JOIN), ("send", SEND), ("inner", INNER)):
        stage.play(stage.version(name, source), store, ("invoke", {"topic": "x"}), thread=name)
    found = surveyed(store).snapshots
    assert any("join:one+two:act" in each.joins for each in found)
    assert any(each.sends == ("worker",) for each in found)
    assert any(each.graph == ("approve",) and each.waiting == ("ask",) for each in found)


def test_values_are_taken_apart_and_no_class_is_imported(stage, store):
    stage.play(stage.version("rich", RICH), store, ("invoke", {"topic": "x"}))
    before = set(sys.modules)
    decoded = surveyed(store).snapshots[0].values["many"]
    assert "agent" not in set(sys.modules) - before
    assert decoded.classes == {"agent.Card", "agent.Doc"}
    *plain, message, raw = decoded.value
    assert plain == [
        "00000000-0000-0000-0000-000000000001", "2026-01-02T00:00:00", "2026-01-02", ["a"], "/x/y", "1.5",
        {"number": 4}, {"text": "t"},
    ]  # fmt: skip
    assert repr(message) == repr(raw) == "opaque"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (BASE, changed(BASE, ("approve", "confirm")), "node approve"),
        (SEND, changed(SEND, ("worker", "labourer")), "node worker"),
        (JOIN, changed(JOIN, ('["one", "two"]', '["two", "one"]')), "join join:one+two:act"),
        (INNER, changed(INNER, ('"approve"', '"approval"')), "node approve"),
        (INNER, changed(INNER, ("def ask(", "def inquire("), ("prepare, ask, close", "prepare, inquire, close")), "node approve/ask"),
        (DOC, changed(DOC, ("Doc", "Document")), "class agent.Doc"),
        (BASE, changed(BASE, ("topic: str", "topic: int")), "value of topic"),
        (LOG, changed(LOG, ("Annotated[list, operator.add]", "dict")), "value of log"),
        (ENUM, changed(ENUM, ('RED = "red"', 'BLUE = "blue"'), ("Color.RED", "Color.BLUE")), "value of color"),
        (MODEL, adds(MODEL, "extra: str"), "missing extra"),
    ],
)  # fmt: skip
def test_a_version_that_cannot_read_a_conversation_is_told_so(stage, store, old, new, reason):
    places = stage.version("old", old), stage.version("new", new)
    stage.play(places[0], store, ("invoke", {"topic": "x"}))
    snapshots = surveyed(store).snapshots
    own, other = (assess(snapshots, contract_of(stage, place)) for place in places)
    assert (own.affected, own.reasons, own.undecided) == (0, {}, 0)
    assert other.affected == 1 and reason in other.reasons


HOSTILE = [
    ("pickle", b"\x80\x04cos\nsystem\n(S'true'\ntR."),
    ("msgpack+aes", b"\x00" * 32),
    ("msgpack", b"\xc1\xff\xff"),
    ("msgpack", b"\x91" * 5000),
    ("msgpack", b"\xc7\x20\x05" + b"\x94\xa2os\xa6system\xa4true\xa0" + b"\xc0" * 16),
    ("json", b'{"lc": 2, "id": ["os", "system"], "kwargs": {"command": "true"}}'),
    ("unheard-of", b"x"),
    ("msgpack", b"\xc0" * (3 * 1024 * 1024)),
]


@pytest.mark.parametrize(("kind", "blob"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_are_undecodable_and_nothing_of_them_runs(tmp_path, monkeypatch, kind, blob):
    path = tmp_path / "threads.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE checkpoints (thread_id, checkpoint_ns, checkpoint_id, type, checkpoint, metadata)"
        )
        database.execute("INSERT INTO checkpoints VALUES ('t', '', '1', ?, ?, 'not json')", (kind, blob))
    database.close()
    monkeypatch.setattr("os.system", lambda _: pytest.fail("it ran"))
    found = sqlite_store.survey(path, Limits())
    assert found.snapshots[0].undecodable and found.snapshots[0].values == {}
    assert not found.complete, "whether it waits is not known, so that it must clear nobody"


def test_a_store_that_is_absent_or_not_one_is_a_problem_and_no_exception(tmp_path):
    junk = tmp_path / "junk.sqlite"
    junk.write_text("this is no database, and long enough to be looked at" * 10)
    assert "does not exist" in sqlite_store.survey(tmp_path / "none", Limits()).problem
    assert "cannot be read" in sqlite_store.survey(junk, Limits()).problem
    assert not (tmp_path / "none").exists()


def test_a_postgres_that_is_down_is_a_problem_that_names_no_secret():
    pytest.importorskip("psycopg")
    found = postgres_store.survey("postgresql://agent:hunter2@127.0.0.1:1/x", Limits())
    assert found.problem and "hunter2" not in found.problem and not found.complete


def test_a_large_table_is_looked_at_in_bounded_time_and_not_taken_for_a_whole_count(tmp_path):
    path = tmp_path / "threads.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE checkpoints (thread_id, checkpoint_ns, checkpoint_id, type, checkpoint, metadata)"
        )
        rows = ((f"t{index}", "", "1", "msgpack", b"\x80", "{}") for index in range(60_000))
        database.executemany("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()
    ticks = iter(range(10_000))
    late = sqlite_store.survey(path, Limits(time_s=3.0), now_s=lambda: float(next(ticks)))
    assert not late.complete and late.threads < 60_000
    assert not sqlite_store.survey(path, Limits(time_s=60.0)).complete  # more rows than are ever counted


def test_a_slow_postgres_is_sampled_and_not_taken_for_a_whole_count(postgres, monkeypatch):
    slow = postgres_store._LATEST.replace(
        "FROM checkpoints {sample}", "FROM checkpoints {sample} CROSS JOIN LATERAL (SELECT {nap}) nap"
    )
    monkeypatch.setattr(
        postgres_store, "_LATEST", slow.replace("{nap}", "pg_sleep(CASE WHEN '{sample}' = '' THEN 3 ELSE 0 END)")
    )
    found = postgres_store.survey(postgres, Limits(time_s=0.5))
    assert not found.complete and not found.problem


def test_a_postgres_whose_conversations_take_too_long_is_not_taken_for_a_whole_count(stage, postgres):
    for thread in ("a", "b", "c"):
        stage.play(stage.version("old", BASE), postgres, ("invoke", {"topic": "x"}), thread=thread)
    ticks = iter(range(1_000))
    found = postgres_store.survey(postgres, Limits(time_s=1.0), now_s=lambda: float(next(ticks)))
    assert not found.complete and 0 < len(found.snapshots) < found.threads


def test_what_is_written_and_not_yet_applied_is_seen(stage, store):
    """One task has ended, another waits: what the first leads to stands in no checkpoint yet."""
    parallel = changed(
        JOIN,
        ('built.add_edge(["one", "two"], "act")', 'built.add_edge("one", "act")'),
        ('built.add_edge(START, "three")\nbuilt.add_edge("three", "two")', 'built.add_edge(START, "two")'),
    )
    renamed = changed(
        parallel,
        ('"act"', '"perform"'),
        ("(one, two, three, act)", "(one, two, three)"),
        ('built.add_edge(START, "one")', 'built.add_node("perform", act)\nbuilt.add_edge(START, "one")'),
    )
    stage.play(stage.version("old", parallel), store, ("invoke", {"topic": "x"}))
    snapshots = surveyed(store).snapshots
    assert any("act" in each.waiting for each in snapshots)
    assert assess(snapshots, contract_of(stage, stage.version("new", renamed))).reasons.get("node act") == 1


def test_a_function_that_is_replayed_waits_too(stage, store):
    stage.play(stage.version("flow", FLOW), store, ("invoke", {"x": 1}))
    assert [each.is_waiting for each in surveyed(store).snapshots] == [True]
