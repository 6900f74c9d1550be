"""One bad conversation in a store is one undecided conversation: it blinds nobody to the others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.contracts.contract_text import read
from rollout.contracts.samples.assess import assess, only_by
from rollout.contracts.samples.decode import Decoded, Undecodable, decode, decode_channels, decode_inline
from rollout.contracts.samples.postgres import UNREADABLE, _object
from rollout.contracts.samples.snapshot import Limits
from rollout.contracts.samples.sqlite import survey

STATE = {"type": "object", "properties": {"topic": {"type": "string"}}}
CONTRACT = read(
    json.dumps({
        "contractVersion": 1,
        "framework": {"name": "langgraph"},
        "state": {"kind": "typeddict", "writer": STATE, "reader": STATE},
        "nodes": {"approve": {"interruptCalls": []}},
    })
)  # fmt: skip
OTHER = read(json.dumps({"contractVersion": 1, "framework": {"name": "langgraph"}, "nodes": {}}))


def nested(depth):
    return "[" * depth + "]" * depth


def checkpoint(values):
    return ormsgpack.packb({"channel_values": values})


GOOD = ("msgpack", checkpoint({"topic": "x", "branch:to:approve": None}), "{}")
BAD = {
    "nested 400 deep": ("json", f'{{"channel_values": {{"topic": {nested(400)}}}}}', "{}"),
    "nested 100000 deep": ("json", f'{{"channel_values": {{"topic": {nested(100_000)}}}}}', "{}"),
    "cut in the middle": ("msgpack", GOOD[1][:-3], "{}"),
    "of another kind": ("pickle", b"cos\nsystem\n", "{}"),
    "no checkpoint": ("json", "[]", "{}"),
    "with channels that are none": ("json", '{"channel_values": 3}', "{}"),
    "empty": ("msgpack", b"", "{}"),
    "a huge number": ("json", '{"channel_values": {"topic": 1' + "0" * 5000 + "}}", "{}"),
    "a class with nothing in it": ("msgpack", ormsgpack.packb({"channel_values": ormsgpack.Ext(5, b"\xc0")}), "{}"),
    "an extension in an extension": ("msgpack", ormsgpack.packb(ormsgpack.Ext(0, b"\xc7\x01\x00\xc0")), "{}"),
}


def store(tmp_path, rows):
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE checkpoints (thread_id, checkpoint_ns, checkpoint_id, type, checkpoint, metadata)"
        )
        database.execute("CREATE TABLE writes (thread_id, checkpoint_ns, checkpoint_id, channel, type, value)")
        database.executemany(
            "INSERT INTO checkpoints VALUES (?, '', '1', ?, ?, ?)",
            [(f"t{number}", *row) for number, row in enumerate(rows)],
        )
        database.commit()
    return path


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_bad_conversation_is_one_undecided_conversation(tmp_path, bad):
    seen = survey(store(tmp_path, [GOOD, bad, GOOD]), Limits(time_s=60))
    assert (seen.problem, seen.threads, len(seen.snapshots)) == ("", 3, 3)
    assert sum(snapshot.is_waiting for snapshot in seen.snapshots) == 2
    for readability in (assess(seen.snapshots, CONTRACT), only_by(seen.snapshots, CONTRACT, OTHER)):
        assert (readability.undecided, readability.affected) == (1, 0)
    assert only_by(seen.snapshots, OTHER, CONTRACT).affected == 2, "the others are judged all the same"


@pytest.mark.parametrize("metadata", [nested(100_000), "{", b"\xff\xfe", 3, None, '{"agent_version": 7}'])
def test_metadata_that_nobody_can_read_says_nothing_of_a_version(tmp_path, metadata):
    seen = survey(store(tmp_path, [(*GOOD[:2], metadata)]), Limits(time_s=60))
    assert (seen.problem, seen.threads, seen.snapshots[0].version) == ("", 1, None)


@pytest.mark.parametrize("text", [nested(100_000), "{", "[]", "3"])
def test_what_postgresql_keeps_as_json_is_read_row_by_row(text):
    assert _object(text) is UNREADABLE


def test_an_empty_object_is_not_taken_for_an_unreadable_one():
    assert _object("{}") == {} and _object("{}") is not UNREADABLE and _object(None) is not UNREADABLE


def test_an_inline_value_that_is_nested_too_deeply_is_undecodable():
    with pytest.raises(Undecodable, match="nested"):
        decode_inline(json.loads(nested(400)))
    assert decode_inline({"a": [1]}).value == {"a": [1]}


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(["msgpack", "json", "bytes", "null", "pickle"]), blob=st.binary(max_size=200))
def test_any_bytes_are_decoded_or_undecodable(kind, blob):
    for take_apart in (decode, decode_channels):
        with suppress(Undecodable):
            taken = take_apart(kind, blob)
            channels = taken.values() if take_apart is decode_channels else [taken]
            assert all(isinstance(channel, Decoded) for channel in channels)
