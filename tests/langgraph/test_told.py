"""Tools that a model is only told of ask nobody there; what counts or lists something is not whoever else does so."""

from __future__ import annotations

import pytest

from rollout.contracts.check import check
from tests.langgraph.rows import changed
from tests.langgraph.test_questions import ASK, AUTO, assert_foretold, contract_of, if_

ASSISTANT = """
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import MessagesState
from langgraph.prebuilt import ToolNode

class Model(BaseChatModel):
    temperature: float = {temperature}
    @property
    def _llm_type(self):
        return "scripted"
    def bind_tools(self, tools, **options):
        return self.bind(tools=[one.name for one in tools], **options)
    def _generate(self, messages, stop=None, run_manager=None, **options):
        return ChatResult(generations=[ChatGeneration(message=AIMessage("over"))])

@tool
def look(text: str) -> str:
    "Look."
    return "seen"
@tool
def pay(amount: int) -> str:
    "Pay."
    return interrupt("pay?")
SAFE, SENSITIVE = [look], [pay]
names = {{one.name for one in SENSITIVE}}
def told(model, tools):
    return model.bind_tools(tools)
{more}
class Assistant:
    def __init__(self, runnable):
        self.runnable = runnable
    def __call__(self, state):
        return {{"messages": [self.runnable.invoke("{prompt}")]}}
def which(state) -> Literal["safe", "sensitive", "__end__"]:
    calls = state["messages"][-1].tool_calls
    return END if not calls else "sensitive" if calls[0]["name"] in names else "safe"
built = StateGraph(MessagesState)
built.add_node("assistant", {assistant})
built.add_node("safe", ToolNode(SAFE))
built.add_node("sensitive", ToolNode(SENSITIVE))
built.add_edge(START, "assistant")
built.add_conditional_edges("assistant", which)
built.add_edge("safe", "assistant")
built.add_edge("sensitive", "assistant")
graph = built.compile()
"""
USUAL = {
    "temperature": 1.0,
    "prompt": "Be kind.",
    "more": "",
    "assistant": "Assistant(told(Model(), SAFE + SENSITIVE))",
}
CLASS = """
class Told(Assistant):
    def __init__(self, model, tools):
        super().__init__(model.bind_tools(tools))
"""
LATER = "Told(Model(), SAFE + SENSITIVE)"


def verdict_of(stage, old, new):
    verdict = check(*(contract_of(stage, stage.version(name, source)) for name, source in (("old", old), ("new", new))))
    return verdict.backward, verdict.forward, verdict.hop


@pytest.mark.parametrize("change", [{"temperature": 0.2}, {"prompt": "Be brief."}])
def test_a_model_that_is_told_of_tools_by_way_of_a_function_asks_nobody(stage, change):
    assert verdict_of(stage, ASSISTANT.format(**USUAL), ASSISTANT.format(**{**USUAL, **change})) == ("ok",) * 3


def test_a_model_that_is_told_of_tools_by_a_class_asks_nobody(stage):
    told = {**USUAL, "assistant": LATER}
    sources = [
        ASSISTANT.format(**told).replace("def which", CLASS + "def which"),
        ASSISTANT.format(**{**told, "prompt": "Be brief."}).replace("def which", CLASS + "def which"),
    ]
    assert verdict_of(stage, *sources) == ("ok",) * 3


def test_who_calls_the_tools_too_is_not_only_told_of_them(stage):
    more = 'def told(model, tools):\n    tools[-1].invoke({{"amount": {amount}}})\n    return model.bind_tools(tools)\n'
    one, two = (
        ASSISTANT.format(**{**USUAL, "assistant": f"lambda state: told(Model(temperature={amount}), SAFE + SENSITIVE)", "more": more.format(amount=amount)})
        for amount in (1, 2)
    )  # fmt: skip
    assert verdict_of(stage, one, two)[0] != "ok"


def test_another_name_of_a_tool_is_seen_where_only_names_decide(stage):
    old = ASSISTANT.format(**USUAL)
    new = old.replace("def pay(", "def transfer(").replace("[pay]", "[transfer]")
    assert verdict_of(stage, old, new)[0] == "break"


COUNTED = """
from collections import Counter
from functools import wraps
CALLS = Counter()
def counted(node):
    @wraps(node)
    def run(state):
        CALLS[node.__name__] += 1
        return node(state)
    return run
"""


def test_what_is_counted_elsewhere_changes_nothing_for_whoever_counts_too(stage):
    """The node that asks counts as well: its question is not the other's."""
    old = if_('len(state["topic"]) < 1')
    counting = COUNTED + "class State("
    new = changed(old, ("class State(", counting), (ASK, f'    CALLS["asked"] += 1\n{ASK}'))
    new = changed(new, ("def act(state)", "@counted\ndef act(state)"))
    verdict = check(*(contract_of(stage, stage.version(name, source)) for name, source in (("old", old), ("new", new))))
    assert {finding.pointer for finding in verdict.findings if finding.severity == "break"} == set()
    assert {finding.pointer.split("/")[2] for finding in verdict.findings} <= {"approve"}


LEAVING = """
RULES = {{}}
BARRED = {barred}
def register(name, rule):
    if name in BARRED:
        return
    RULES[name] = rule
register("short", lambda topic: len(topic) < 99)
"""


def test_what_keeps_a_function_from_changing_a_table_counts(stage):
    test = 'any(rule(state["topic"]) for rule in RULES.values())'
    old, new = (if_(test, LEAVING.format(barred=barred)) for barred in ({"short"}, {"long"}))
    assert_foretold(stage, stage.version("old", old), stage.version("new", new))


def test_leaving_before_a_change_counts_where_only_that_differs(stage):
    test = 'any(rule(state["topic"]) for rule in RULES.values())'
    old = if_(test, LEAVING.format(barred={"short"}))
    new = old.replace("    if name in BARRED:\n        return\n", "")
    assert new != old and AUTO in new
    assert_foretold(stage, stage.version("old", old), stage.version("new", new))
