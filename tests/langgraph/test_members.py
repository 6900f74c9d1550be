"""Methods of what the state holds: Python calls some of them by itself, others count once something names them."""

from __future__ import annotations

import pytest

from rollout.contracts.check import check
from tests.langgraph.test_questions import ASK, AUTO, asking, assert_foretold, contract_of

AGENT = """
@dataclass
class Basket:
    things: list = field(default_factory=list)
{members}
class State(TypedDict, total=False):
    topic: str
    answer: str
    done: str
    basket: Basket
def plan(state):
    return {{"basket": Basket([state["topic"]])}}
def approve(state):
    basket = state["basket"]
{body}
def act(state):
    return {{"done": state["topic"] + ":" + str(state["answer"])}}
graph = line(State, plan, approve, act)
"""


def agent(body: str, members: str = "") -> str:
    return AGENT.format(body=body, members=members)


IMPLICIT = {
    "whether there is anything in it": (f"    if not basket:\n{AUTO}{ASK}", "    def __len__(self):\n        return 0"),
    "whether it holds": (f"    if not basket:\n{AUTO}{ASK}", "    def __bool__(self):\n        return False"),
    "what it is as a text": (
        f'    if f"{{basket}}" == "B":\n{AUTO}{ASK}', '    def __str__(self):\n        return "B"',
    ),
    "what is within it": (
        f'    if "x" in getattr(basket, "things", []) or [*getattr(basket, "__iter__", list)()] == ["x"]:\n{AUTO}{ASK}',
        '    def __iter__(self):\n        return iter(["x"])',
    ),
}  # fmt: skip
LEVELS = f'    import logging\n    if logging.getLogger("agent").isEnabledFor(logging.DEBUG):\n{AUTO}{ASK}'
LEVEL = 'import logging\nlogging.getLogger("agent").setLevel(logging.{})\n'


@pytest.mark.parametrize("what", IMPLICIT)
def test_a_method_that_python_calls_by_itself_counts(stage, what):
    body, member = IMPLICIT[what]
    assert_foretold(stage, *(stage.version("members", agent(body, members)) for members in ("", member)))


def test_a_method_that_is_called_counts(stage):
    body = f"    if basket.is_free():\n{AUTO}{ASK}"
    members = (f"    def is_free(self):\n        return {value}" for value in (False, True))
    assert_foretold(stage, *(stage.version("members", agent(body, one)) for one in members))


def test_a_method_that_is_called_by_a_text_counts(stage):
    body = f'    if getattr(basket, "is_free")():\n{AUTO}{ASK}'
    members = (f"    def is_free(self):\n        return {value}" for value in (False, True))
    assert_foretold(stage, *(stage.version("members", agent(body, one)) for one in members))


def test_a_method_that_nothing_calls_is_no_change(stage):
    body = f"    if len(basket.things) > 3:\n{AUTO}{ASK}"
    member = "    @property\n    def size(self):\n        return len(self.things)\n    def first(self):\n        return self.things[0]"
    old, new = (stage.version("members", agent(body, members)) for members in ("", member))
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings


def test_a_level_that_is_asked_for_counts(stage):
    assert_foretold(stage, *(stage.version("levels", asking(LEVELS, LEVEL.format(one))) for one in ("INFO", "DEBUG")))


TOOL = """
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph.message import add_messages
from langgraph.prebuilt import InjectedState, ToolNode
@dataclass
class State:
    messages: Annotated[list, add_messages] = field(default_factory=list)
    topic: str = ""
    done: str = ""
    def is_free(self):
        return {}
@tool
def pay(amount: int, state: Annotated[Any, InjectedState]) -> str:
    "Pay."
    return "free" if state.is_free() else interrupt("ok?")
def plan(state):
    return {{"messages": [AIMessage("", tool_calls=[{{"name": "pay", "args": {{"amount": 1}}, "id": "c1"}}])]}}
def act(state):
    return {{"done": state.messages[-1].content}}
built = StateGraph(State)
built.add_node("plan", plan)
built.add_node("tools", ToolNode([pay]))
built.add_node("act", act)
built.add_edge(START, "plan")
built.add_edge("plan", "tools")
built.add_edge("tools", "act")
built.add_edge("act", END)
graph = built.compile()
"""


def test_a_method_of_the_state_that_a_tool_calls_counts(stage):
    assert_foretold(stage, *(stage.version("members", TOOL.format(value)) for value in (False, True)))


def test_a_method_that_a_template_in_a_file_names_counts(stage):
    template = 'import pathlib\nPAGE = pathlib.Path(__file__).with_suffix(".txt")\nPAGE.write_text("{basket." + "lebal"[::-1] + "}")\n'
    body = f'    if PAGE.read_text().format(basket=basket) == "free":\n{AUTO}{ASK}'
    member = '    @property\n    def label(self):\n        return "{}"'
    sources = (template + agent(body, member.format(text)) for text in ("paid", "free"))
    assert_foretold(stage, *(stage.version("members", source) for source in sources))
