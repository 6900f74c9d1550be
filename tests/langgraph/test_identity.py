"""Unchanged code has one contract: in every process, wherever it lies, and it is compatible with itself."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from rollout.contracts.check import check
from rollout.contracts.contract_text import read
from tests.langgraph import test_classes, test_questions, test_rewritten, test_tools
from tests.langgraph.rows import ROWS

SOURCES = {f"{row.id} {side}": getattr(row, side) for row in ROWS for side in ("old", "new")}
SOURCES |= {
    f"{what} {number}": source
    for pairs in (
        test_questions.CHANGES,
        test_questions.HARMLESS,
        test_rewritten.AROUND,
        test_classes.OF_ONE_MODULE,
        test_classes.HARMLESS,
    )
    for what, pair in pairs.items()
    for number, source in enumerate(pair)
}
SOURCES["a function in an annotation"] = """
def latest(old, new):
    return new
class Inner(TypedDict):
    notes: Annotated[list[str], latest]
class Out(TypedDict):
    notes: Annotated[list[str], latest]
built = StateGraph(Inner, output_schema=Out)
built.add_node("note", lambda state: {"notes": ["x"]})
built.add_edge(START, "note")
built.add_edge("note", END)
inner = built.compile()
class State(TypedDict, total=False):
    topic: str
    answer: str
def approve(state):
    noted = inner.invoke(Inner(notes=[]))
    return {"answer": interrupt("ok?" + noted["notes"][0]), "kind": Out.__name__}
graph = line(State, approve)
"""
if find_spec("langchain"):
    SOURCES |= {
        f"{what} {number}": source
        for pairs in (test_tools.BREAKS, test_tools.HARMLESS)
        for what, pair in pairs.items()
        for number, source in enumerate(pair[:2])
    }


@pytest.fixture(scope="module")
def twice(stage):
    """Every contract from two processes, each with the agents in folders of their own."""
    runs = [
        stage.contracts([stage.version(place, source) for source in SOURCES.values()]) for place in ("here", "there")
    ]
    return {name: pair for name, *pair in zip(SOURCES, *runs, strict=True)}


@pytest.mark.parametrize("name", SOURCES)
def test_unchanged_code_has_one_contract_and_that_is_compatible_with_itself(twice, name):
    one, two = (read(json.dumps(contract)) for contract in twice[name])
    verdict = check(one, two)
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings
    assert one.digest == two.digest
