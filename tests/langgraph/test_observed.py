"""What LangGraph does with a conversation that another version takes over, and whether we foretold it."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from rollout.contracts.check import check
from rollout.contracts.contract_text import read
from tests.langgraph.rows import BASE, LOG, MODEL, ROWS, WRITES, adds, changed

HARMLESS = "done"


def contracts(stage, row):
    places = stage.version("old", row.old), stage.version("new", row.new)
    found = [stage.play(place, stage.store(), ("contract",))[0] for place in places]
    return places, tuple(read(json.dumps(each)) for each in found)


def taken_over(stage, writer, reader, row):
    """One version begins a conversation, which waits; the other one resumes it."""
    store = stage.store()
    begun = stage.play(writer, store, ("invoke", row.given))[0]
    assert begun["came"] == "waits", begun
    if row.answers:  # the first question is answered by the one, the second by the other
        stage.play(writer, store, ("resume", row.answers[0]))
        return stage.play(reader, store, ("resume", row.answers[1]))[0]
    verb = ("resume", row.resume) if row.resume is not None else ("invoke", None)
    return stage.play(reader, store, verb)[0]


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_the_verdict_foretells_what_langgraph_does(stage, row):
    (old, new), (first, second) = contracts(stage, row)
    verdict = check(first, second)
    backward, forward = taken_over(stage, old, new, row), taken_over(stage, new, old, row)
    assert (backward["came"], forward["came"]) == row.came
    assert (verdict.backward, verdict.forward, verdict.hop) == row.says, verdict.findings
    for came, said in zip(row.came, (verdict.backward, verdict.forward), strict=True):
        assert came == HARMLESS or said != "ok"
    if row.clearable:
        assert any(finding.clearable for finding in verdict.findings)


WRITES_EXTRA = changed(adds(BASE, "extra: str"), WRITES)
WRITES_LIST = changed(adds(BASE, "extra: list"), WRITES, ('{"extra": "x"}', '{"extra": ["x"]}'))


def hopped(stage, store, new_source, thread="t1"):
    """New writes, old takes a turn, new looks: what is left of the key?"""
    old, new = stage.version("old", BASE), stage.version("new", new_source)
    stage.play(new, store, ("invoke", {"topic": "a"}), thread=thread)
    stage.play(old, store, ("resume", "yes"), thread=thread)
    return stage.play(new, store, ("state",), thread=thread)[0]["values"]


def test_a_key_that_the_old_version_does_not_know_is_gone_after_a_hop(stage):
    assert "extra" not in hopped(stage, stage.store(), WRITES_EXTRA)


def test_postgres_keeps_objects_over_a_hop_and_loses_plain_values(stage, postgres):
    assert "extra" not in hopped(stage, postgres, WRITES_EXTRA, "scalar")
    assert hopped(stage, postgres, WRITES_LIST, "object")["extra"] == ["x"]


def test_a_completed_conversation_cannot_take_a_turn_where_a_required_field_is_new(stage):
    old, new = stage.version("old", MODEL), stage.version("new", adds(MODEL, "extra: str"))
    store = stage.store()
    stage.play(old, store, ("invoke", {"topic": "a"}), ("resume", "yes"))
    looked, asked = stage.play(new, store, ("state",), ("invoke", {"topic": "b"}))
    assert (looked["came"], asked["came"]) == ("done", "ValidationError")


def test_a_look_by_a_version_without_the_node_leaves_the_conversation_to_the_old_one(stage):
    old, new = stage.version("old", BASE), stage.version("new", changed(BASE, ("approve", "confirm")))
    store = stage.store()
    stage.play(old, store, ("invoke", {"topic": "a"}))
    stage.play(new, store, ("state",), ("resume", "yes"))
    assert stage.play(old, store, ("resume", "yes"))[0]["came"] == "done"


def test_a_reducer_that_goes_replaces_what_was_accumulated(stage):
    row = next(row for row in ROWS if row.id == "D1")
    (old, new), _ = contracts(stage, row)
    assert taken_over(stage, old, new, row)["values"]["log"] == ["acted"]


def test_answers_are_swapped_where_questions_are_reordered(stage):
    asks = changed(
        BASE,
        (
            'return {"answer": interrupt("ok?")}',
            'one, two = interrupt("one?"), interrupt("two?")\n    return {"answer": one + two}',
        ),
    )
    other = changed(asks, ('interrupt("one?"), interrupt("two?")', 'interrupt("two?"), interrupt("one?")'))
    old, new, store = stage.version("old", asks), stage.version("new", other), stage.store()
    stage.play(old, store, ("invoke", {"topic": "a"}), ("resume", "1"))
    assert stage.play(new, store, ("resume", "2"))[0]["values"]["answer"] == "12"  # one is now the answer to two
    first, second = (read(json.dumps(stage.play(place, stage.store(), ("contract",))[0])) for place in (old, new))
    assert {finding.code for finding in check(first, second).findings} == {"INTERRUPT_ORDER"}


DELTA = """
from langgraph.channels.delta import DeltaChannel
"""


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("Annotated[list, operator.add]", "Annotated[list, DeltaChannel(operator.add)]", ("ok", "ok")),
        ("list", "Annotated[list, DeltaChannel(operator.add)]", ("ok", "break")),
    ],
)
def test_a_delta_channel_takes_over_and_is_not_taken_over_by_a_plain_one(stage, before, after, says):
    if find_spec("langgraph.channels.delta") is None:
        pytest.skip("this langgraph has no DeltaChannel")
    old, new = (
        LOG.replace("Annotated[list, operator.add]", before),
        DELTA + LOG.replace("Annotated[list, operator.add]", after),
    )
    places = stage.version("old", old), stage.version("new", new)
    first, second = (read(json.dumps(stage.play(place, stage.store(), ("contract",))[0])) for place in places)
    found = [each for each in check(first, second).findings if each.code == "CHANNEL_KIND" and each.severity != "ok"]
    assert ("break" in {each.severity for each in found}) == ("break" in says)


def test_a_node_that_crashed_and_was_renamed_ends_the_conversation_in_silence(stage):
    crashing = changed(
        BASE,
        ('return {"answer": interrupt("ok?")}', 'return {"answer": "x"}'),
        ('return {"done": state["topic"] + ":" + state["answer"]}', 'raise RuntimeError("the model is down")'),
    )
    mended = changed(crashing, ('raise RuntimeError("the model is down")', 'return {"done": "yes"}'))
    old, same, new = (
        stage.version(name, source)
        for name, source in (("old", crashing), ("same", mended), ("new", changed(mended, ("act", "perform"))))
    )
    for reader, came in ((same, "done"), (new, "silent")):
        store = stage.store()
        assert stage.play(old, store, ("invoke", {"topic": "a"}))[0]["came"] == "RuntimeError"
        assert stage.play(reader, store, ("invoke", None))[0]["came"] == came
    first, second = (read(json.dumps(stage.play(place, stage.store(), ("contract",))[0])) for place in (old, new))
    assert check(first, second).backward == "break"
