"""Questions decided by what registers itself, by what is made up when asked for, and by what stands between two of them."""

from __future__ import annotations

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
