"""Code whose ways are written otherwise, and that asks the same: a verdict of ok; and what only looks like it."""

from __future__ import annotations

import pytest

from tests.langgraph.test_questions import ASK, AUTO, asking, assert_foretold
from tests.langgraph.test_rewritten import assert_ok

TOPIC = 'state["topic"]'
SIZE = f"len({TOPIC})"

RISK = "class Risk(Enum):\n    LOW = 1\n    HIGH = 2\n\ndef risk_of(topic):\n    return Risk.LOW if topic == 'x' else Risk.HIGH\n"
TRIED = (
    f"    try:\n        size = int({TOPIC})\n    except ValueError:\n        size = 0\n"
    '        if interrupt("why?") == "stop":\n            return {"answer": "stopped"}\n        return {"answer": "again"}\n'
)

SAME = {
    "a default, then another value": (
        f'    limit = 2\n    if {TOPIC} == "x":\n        limit = limit * 5\n    if {SIZE} > limit:\n{AUTO}{ASK}',
        f'    limit = 10 if {TOPIC} == "x" else 2\n    if {SIZE} > limit:\n{AUTO}{ASK}',
    ),
    "a value that grows": (
        f'    limit = 2\n    if {TOPIC} == "x":\n        limit *= 5\n    if {SIZE} > limit:\n{AUTO}{ASK}',
        f'    if {TOPIC} == "x":\n        limit = 10\n    else:\n        limit = 2\n    if {SIZE} > limit:\n{AUTO}{ASK}',
    ),
    "asked for once more": (
        f'    why = ""\n    if {TOPIC} != "x":\n        why = interrupt("why?")\n        if not why:\n            return {{"answer": "none"}}\n'
        '    return {"answer": why}',
        f'    topic = {TOPIC}\n    why = interrupt("why?") if topic != "x" else ""\n    if topic != "x" and not why:\n        return {{"answer": "none"}}\n'
        '    return {"answer": why}',
    ),
    "one of several words": (
        f'    if "x" in {TOPIC} or "y" in {TOPIC}:\n{AUTO}{ASK}',
        f'    if any(word in {TOPIC} for word in ("x", "y")):\n{AUTO}{ASK}',
    ),
    "what nothing failed before": (
        f'{TRIED}    return {{"answer": str(size)}}', f'{TRIED}    else:\n        return {{"answer": str(size)}}',
    ),
    "asked until it is right": (
        '    answer = interrupt("ok?")\n    while answer not in ("yes", "no"):\n        answer = interrupt("ok?")\n    return {"answer": answer}',
        '    while (answer := interrupt("ok?")) not in ("yes", "no"):\n        pass\n    return {"answer": answer}',
    ),
    "a list that is not empty": (
        f'    words = [word for word in {TOPIC}.split() if word != "x"]\n    if len(words) > 0:\n    {ASK}\n    return {{"answer": "auto"}}',
        f'    words = [word for word in {TOPIC}.split() if word != "x"]\n    if words:\n    {ASK}\n    return {{"answer": "auto"}}',
    ),
}  # fmt: skip

SAME_AGENTS = {
    "a member of an enum, and being equal to it": (
        asking(f"    risk = risk_of({TOPIC})\n    if risk is Risk.LOW:\n{AUTO}{ASK}", RISK),
        asking(f"    risk = risk_of({TOPIC})\n    if risk == Risk.LOW:\n{AUTO}{ASK}", RISK),
    ),
    "a helper that asks until it is right": (
        asking('    answer = interrupt("ok?")\n    while answer not in ("yes", "no"):\n        answer = interrupt("ok?")\n    return {"answer": answer}'),
        asking(
            '    return {"answer": ask()}',
            'def ask():\n    answer = interrupt("ok?")\n    while answer not in ("yes", "no"):\n        answer = interrupt("ok?")\n    return answer\n',
        ),
    ),
}  # fmt: skip

OTHERS = {
    "a default that is another one": (
        f'    limit = 0\n    if {TOPIC} == "x":\n        limit = 5\n    if {SIZE} <= limit:\n{AUTO}{ASK}',
        f'    limit = 1\n    if {TOPIC} == "x":\n        limit = 5\n    if {SIZE} <= limit:\n{AUTO}{ASK}',
    ),
    "a value that is set between two conditions": (
        f'    topic = {TOPIC}\n    if topic == "a":\n        interrupt("first?")\n    if topic == "a":\n    {ASK}\n    return {{"answer": "auto"}}',
        f'    topic = {TOPIC}\n    if topic == "a":\n        interrupt("first?")\n        topic = "x"\n    if topic == "a":\n    {ASK}\n    return {{"answer": "auto"}}',
    ),
    "a name that a comprehension hides": (
        f'    size = 1\n    sizes = [size for size in (1, 2)]\n    if {TOPIC} in ("b", "c") or len(sizes) > 2:\n{AUTO}{ASK}',
        f'    size = 1\n    sizes = [1 for size in (1, 2, 3)]\n    if {TOPIC} in ("b", "c") or len(sizes) > 2:\n{AUTO}{ASK}',
    ),
    "all for any": (
        f'    if all(word in {TOPIC} for word in ("a", "b")):\n{AUTO}{ASK}',
        f'    if any(word in {TOPIC} for word in ("a", "b")):\n{AUTO}{ASK}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_ways_that_lead_to_the_same_are_ok(stage, what):
    assert_ok(stage, *(stage.version("ways", asking(body)) for body in SAME[what]))


@pytest.mark.parametrize("what", SAME_AGENTS)
def test_agents_whose_ways_lead_to_the_same_are_ok(stage, what):
    assert_ok(stage, *(stage.version("ways", source) for source in SAME_AGENTS[what]))


@pytest.mark.parametrize("what", OTHERS)
def test_ways_that_lead_elsewhere_are_never_called_ok(stage, what):
    assert_foretold(stage, *(stage.version("ways", asking(body)) for body in OTHERS[what]))
