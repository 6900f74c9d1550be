"""Unchanged code has one contract: in every process, wherever it lies, and it is compatible with itself."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from rollout.contracts.check import check
from rollout.contracts.contract_text import read
from tests.langgraph import test_classes, test_questions, test_tools
from tests.langgraph.rows import ROWS

SOURCES = {f"{row.id} {side}": getattr(row, side) for row in ROWS for side in ("old", "new")}
SOURCES |= {
    f"{what} {number}": source
    for pairs in (test_questions.CHANGES, test_questions.HARMLESS, test_classes.OF_ONE_MODULE, test_classes.HARMLESS)
    for what, pair in pairs.items()
    for number, source in enumerate(pair)
}
if find_spec("langchain"):
    SOURCES |= {
        f"{what} {number}": source
        for pairs in (test_tools.BREAKS, test_tools.HARMLESS)
        for what, pair in pairs.items()
        for number, source in enumerate(pair[:2])
    }


@pytest.mark.parametrize("name", SOURCES)
def test_unchanged_code_has_one_contract_and_that_is_compatible_with_itself(stage, name):
    places = [stage.version(place, SOURCES[name]) for place in ("here", "there")]
    one, two = (read(json.dumps(stage.play(place, stage.store(), ("contract",))[0])) for place in places)
    verdict = check(one, two)
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings
    assert one.digest == two.digest
