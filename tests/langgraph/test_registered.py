"""Questions decided by what registers itself, by what is made up when asked for, and by what stands between two of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.contracts.check import check
from tests.langgraph.rows import BASE, changed
from tests.langgraph.test_questions import ASK, AUTO, asking, assert_foretold, contract_of, if_

OBJECTS = """
RULES = []
@dataclass(order=True)
class Rule:
    rank: int
    applies: object = field(compare=False)
def rule(rank):
    def register(applies):
        RULES.append(Rule(rank, applies))
        return applies
    return register
@rule(5)
def never(topic):
    return False
@rule(10)
def short(topic):
    return len(topic) < {}
"""
CLASSES = """
class Ordered(type):
    made = []
    def __new__(meta, name, bases, space):
        made = super().__new__(meta, name, bases, space)
        if bases:
            meta.made.append(made)
        return made
    def __iter__(cls):
        return iter([kind() for kind in type(cls).made])
class Any(metaclass=Ordered):
    pass
class Short(Any):
    def applies(self, topic):
        return len(topic) < {}
"""
PROTOCOL = """
from typing import Protocol, runtime_checkable
@runtime_checkable
class Check(Protocol):
    def applies(self, topic): ...
{}
class Short:
    def applies(self, topic):
        return True
CHECKS = [Short()]
"""
MADE_UP = "def __getattr__(name):\n    if name != 'least':\n        raise AttributeError(name)\n    return int('{}')\n"
BETWEEN = """
from langgraph.types import Command
class State(TypedDict, total=False):
    topic: str
    answer: str
    done: str
BAD = {bad}
def approve(state):
    return {{"answer": interrupt("ok?")}}
def decide(state) -> Command[Literal["board", "act"]]:
    {decide}
def board(state):
    return {{"done": interrupt("board?")}}
def act(state):
    return {{"done": "acted"}}
built = StateGraph(State)
for node in (approve, decide, board, act):
    built.add_node(node.__name__, node)
built.add_edge(START, "approve")
built.add_edge("approve", "decide")
graph = built.compile()
"""
BY_CODE = 'return Command(goto="act" if state["answer"] in BAD else "board")'
BY_MODEL = 'return Command(goto=MODEL.invoke("{}" + state["answer"]))'
MODEL = 'class Model:\n    def invoke(self, text):\n        return "board"\nMODEL = Model()\n'

DECIDED = {
    "functions in a list of objects": tuple(
        if_('any(one.applies(state["topic"]) for one in RULES)', OBJECTS.format(least)) for least in (1, 99)
    ),
    "classes that their own class keeps": tuple(
        if_('any(one.applies(state["topic"]) for one in Any)', CLASSES.format(least)) for least in (1, 99)
    ),
    "what a protocol asks for": tuple(
        if_("all(not isinstance(one, Check) for one in CHECKS)", PROTOCOL.format(more))
        for more in ("", "    def describe(self): ...")
    ),
    "what decides between two questions": tuple(BETWEEN.format(bad=bad, decide=BY_CODE) for bad in ({"x"}, {"no"})),
    "a key of the state that is gone": (
        asking(f'    kind = state["topic"]\n{ASK}'),
        changed(asking(f'    kind = state["topic"]\n{ASK}'), ("    topic: str\n", ""), ('state["topic"] + ":" + ', "")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DECIDED)
def test_what_decides_a_question_from_afar_is_never_called_ok(stage, what):
    old, new = (stage.version(name, source) for name, source in zip(("old", "new"), DECIDED[what], strict=True))
    assert_foretold(stage, old, new)


def test_an_attribute_that_a_module_makes_up_counts_by_how_it_is_made(stage):
    body = f'    import settings\n    if len(state["topic"]) < settings.least:\n{AUTO}{ASK}'
    old, new = (stage.version(str(least), asking(body), settings=MADE_UP.format(least)) for least in (1, 99))
    assert_foretold(stage, old, new)


def test_what_a_model_decides_between_two_questions_is_told_by_no_prompt(stage):
    source = MODEL + BETWEEN
    told = [
        contract_of(stage, stage.version(name, source.format(bad={"x"}, decide=BY_MODEL.format(prompt))))
        for name, prompt in (("old", "Where to? "), ("new", "Where does this lead? "))
    ]
    assert told[0].nodes["decide"].digest != told[1].nodes["decide"].digest
    verdict = check(*told)
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok")


def test_a_key_that_only_nodes_read_which_ask_nobody_may_go(stage):
    old = changed(
        BASE,
        ("    done: str\n", "    done: str\n    note: str\n"),
        ("def plan(state):\n    return {}", 'def plan(state):\n    return {"done": state.get("note", "")}'),
    )
    new = changed(old, ("    note: str\n", ""))
    verdict = check(*(contract_of(stage, stage.version(name, source)) for name, source in (("old", old), ("new", new))))
    assert verdict.backward == "ok"


WORKFLOW = """
import contextlib, functools, os
SETTING = os.environ.get("NOT_SET_HERE", "5")
{tracing}
class Memo:
    def __init__(self, firm, model):
        self.firm, self.model = firm, model
    def write(self, state):
        return "{memo} of " + self.firm
class Services:
    def __init__(self, memo, least):
        self.memo, self.least = memo, least
class State(TypedDict, total=False):
    topic: str
    answer: str
    done: str
class Workflow:
    def __init__(self, services):
        self.services = services
    def rate(self, state):
        return {{}}
    def needs_counsel(self, state):
        return "counsel" if len(state["topic"]) < self.services.least else "memo"
    {traced}
    def counsel(self, state):
        return {{"answer": interrupt("ok?")}}
    {traced}
    def memo(self, state):
        return {{"done": self.services.memo.write(state)}}
    def build(self):
        built = StateGraph(State)
        for name in ("rate", "counsel", "memo"):
            built.add_node(name, getattr(self, name))
        built.add_edge(START, "rate")
        built.add_conditional_edges("rate", self.needs_counsel, ["counsel", "memo"])
        built.add_edge("counsel", "memo")
        return built.compile()
graph = Workflow(Services(Memo("Miller", os.environ.get("NOT_SET", "m")), int(SETTING))).build()
"""
TRACING = """
def traced(name):
    def wrap(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            log.info("begins %s", name)
            return function(*args, **kwargs)
        return inner
    return wrap
import logging
log = logging.getLogger("x")
"""
HARMLESS = {
    "a text in a service of another node of one workflow": ({"memo": "Memo"}, {"memo": "Memorandum"}),
    "methods that are traced": ({}, {"tracing": TRACING, "traced": "@traced('step')"}),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_nodes_that_are_methods_of_one_object_are_told_apart(stage, what):
    usual = {"memo": "Memo", "tracing": "", "traced": ""}
    told = [
        contract_of(stage, stage.version(name, WORKFLOW.format(**{**usual, **filled})))
        for name, filled in zip(("old", "new"), HARMLESS[what], strict=True)
    ]
    assert told[0].nodes["rate"].interrupt_calls == () and told[0].nodes["counsel"].interrupt_calls == ("'ok?'",)
    verdict = check(*told)
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings


def test_a_module_that_reads_what_is_beside_it_is_no_file_of_data(stage):
    reads = '{}from pathlib import Path\ndef limit(){}:\n    return int((Path(__file__).parent / "limit.txt").read_text())\n'
    body = f'    import limits\n    if len(state["topic"]) < limits.limit():\n{AUTO}{ASK}'
    told = []
    for name, *filled in (("old", "", ""), ("new", '"""Limits."""\n', " -> int")):
        place = stage.version(name, asking(body), limits=reads.format(*filled))
        (Path(place) / "limit.txt").write_text("1")
        told.append(contract_of(stage, place))
    verdict = check(*told)
    assert verdict.backward == "ok", verdict.findings


def test_a_question_that_changed_is_told_by_what_has_changed_behind_it(stage):
    helper = "def limits():\n    for number in range(9):\n        yield number {} 2\n"
    body = f'    import helper\n    if any(len(state["topic"]) < limit for limit in helper.limits()):\n{AUTO}{ASK}'
    told = [
        contract_of(stage, stage.version(name, asking(body), helper=helper.format(sign)))
        for name, sign in (("old", "*"), ("new", "+"))
    ]
    findings = [finding for finding in check(*told).findings if finding.code == "QUESTION_CHANGED"]
    assert {finding.direction for finding in findings} == {"backward", "forward"}
    assert {(finding.old, finding.new) for finding in findings} == {("as it was", "changed: helper.limits")}


def test_where_code_lies_is_no_part_of_what_a_contract_says(stage):
    helper = "def least():\n    return len(open(__file__).name)\n"
    digests = []
    for module in ("helper", "limits"):
        body = f'    import {module}\n    if len(state["topic"]) < {module}.least():\n{AUTO}{ASK}'
        digests.append(contract_of(stage, stage.version(module, asking(body), **{module: helper})).digest)
    assert digests[0] == digests[1]


def test_objects_that_know_one_another_are_looked_through_in_bounds(stage):
    crowd = """
class Person:
    def __init__(self, crowd, applies):
        self.crowd, self.applies = crowd, applies
CROWD = []
for number in range(3000):
    CROWD.append(Person(CROWD, None))
CROWD.append(Person(CROWD, lambda topic: len(topic) < {}))
"""
    test = 'any(one.applies(state["topic"]) for one in CROWD if one.applies)'
    old, new = (stage.version(str(least), if_(test, crowd.format(least))) for least in (1, 99))
    assert_foretold(stage, old, new)


def test_a_key_of_the_state_counts_whatever_it_is_called(stage):
    state = "    topic: str\n    parts: {}\n"
    told = [
        contract_of(stage, stage.version(kind, changed(BASE, ("    topic: str\n", state.format(kind)))))
        for kind in ("int", "str")
    ]
    assert told[0].digest != told[1].digest


def test_each_object_of_a_class_that_a_graph_is_made_with_counts(stage):
    source = """
import os
class Limit:
    def __init__(self, least):
        self.least = least
class State(TypedDict, total=False):
    topic: str
    answer: str
class Flow:
    def __init__(self, first, second):
        self.first, self.second = first, second
    def approve(self, state):
        if len(state["topic"]) < self.second.least:
            return {{"answer": "auto"}}
        return {{"answer": interrupt("ok?")}}
    def build(self):
        return line(State, self.approve)
graph = Flow(Limit(int(os.environ.get("NONE", "1"))), Limit(int(os.environ.get("NONE", "{}")))).build()
"""
    assert_foretold(stage, *(stage.version(str(least), source.format(least)) for least in (1, 99)))
