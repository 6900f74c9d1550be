"""Questions behind what code invokes, looks through or keeps: tools, modules, tasks, stores in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rollout.contracts.check import check
from tests.langgraph.test_questions import AUTO, asking, assert_foretold, contract_of, if_
from tests.waiting import eventually

TOOL = """
from langchain_core.tools import tool
@tool
def ask(topic: str) -> str:
    "Ask."
    {test}return interrupt("ok?")
{before}
"""
NEVER, AT_A = "", 'if topic == "a":\n        return "auto"\n    '
INVOKED = {
    "by its name": ("", 'ask.invoke({"topic": state["topic"]})'),
    "run": ("", 'ask.run({"topic": state["topic"]})'),
    "out of a table": ("BY = {one.name: one for one in [ask]}", 'BY["a" and "ask"].invoke({"topic": state["topic"]})'),
    "out of a list": ("TOOLS = [ask]", '[one.invoke({"topic": state["topic"]}) for one in TOOLS][0]'),
    "handed to a function": ("def run(one, topic):\n    return one.invoke({'topic': topic})", 'run(ask, state["topic"])'),
    "many at once": ("", 'ask.batch([{"topic": state["topic"]}])[0]'),
    "of an object": (
        "class Runs:\n    def __init__(self):\n        self.tool = ask\n"
        "    def __call__(self, topic):\n        return self.tool.invoke({'topic': topic})\nRUNS = Runs()",
        'RUNS(state["topic"])',
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", INVOKED)
def test_a_tool_that_a_node_invokes_asks_there(stage, how):
    before, body = INVOKED[how]
    old, new = (
        stage.version(name, asking(f'    return {{"answer": {body}}}', TOOL.format(test=test, before=before)))
        for name, test in (("old", NEVER), ("new", AT_A))
    )
    assert_foretold(stage, old, new)


def test_a_tool_that_a_model_is_only_told_of_asks_nobody_in_the_models_node(stage):
    model = (
        "class Model:\n    def bind_tools(self, tools):\n        return self\n    def invoke(self, topic):\n"
        "        return topic\nTOOLS = [ask]\nMODEL = Model().bind_tools(TOOLS)"
    )
    body = '    return {"answer": MODEL.invoke(state["topic"])}'
    contract = contract_of(stage, stage.version("told", asking(body, TOOL.format(test=NEVER, before=model))))
    assert contract.nodes["approve"].interrupt_calls == ()


LOOKED_THROUGH = {
    "by what it has": "inspect.getmembers(helper, inspect.isfunction)",
    "by its names": "[(name, vars(helper)[name]) for name in sorted(vars(helper))]",
    "by its dict": "sorted(helper.__dict__.items())",
}  # fmt: skip
CHECKS = {
    "another value": ('def check_topic(topic):\n    return topic == "b"', 'def check_topic(topic):\n    return topic == "a"'),
    "another name": ('def check_topic(topic):\n    return topic == "a"', 'def test_topic(topic):\n    return topic == "a"'),
}  # fmt: skip


@pytest.mark.parametrize("how", LOOKED_THROUGH)
@pytest.mark.parametrize("what", CHECKS)
def test_a_module_that_is_looked_through_counts_with_its_names(stage, how, what):
    test = f'any(name.startswith("check_") and check(state["topic"]) for name, check in {LOOKED_THROUGH[how]})'
    source = asking(
        f'    if {test}:\n{AUTO}    return {{"answer": interrupt("ok?")}}', "import inspect\nimport helper\n"
    )
    before, after = CHECKS[what]
    before, after = (before, after) if what == "another value" else (after, before)
    old, new = (stage.version(name, source, helper=text) for name, text in (("old", before), ("new", after)))
    assert_foretold(stage, old, new)


def test_what_a_store_in_memory_is_seeded_with_counts_for_whoever_reads_it(stage):
    seeded = (
        "from langgraph.store.memory import InMemoryStore\nSTORE = InMemoryStore()\n"
        'STORE.put(("limits",), "a", {{"ask": {asks}}})\n'
    )
    old, new = (
        stage.version(
            name,
            if_('not store.get(("limits",), "a").value["ask"]', seeded.format(asks=asks))
            .replace("def approve(state):", "def approve(state, *, store):")
            .replace("approve, act)", "approve, act, store=STORE)"),
        )
        for name, asks in (("old", True), ("new", False))
    )
    assert_foretold(stage, old, new)


def same(stage, one, two):
    verdict = check(contract_of(stage, stage.version("one", one)), contract_of(stage, stage.version("two", two)))
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings


def test_the_prompt_of_another_node_is_no_change_of_one_that_names_the_end(stage):
    """What is handed a text, a graph that is built, does not change the text."""
    agent = """
class State(TypedDict, total=False):
    topic: str
    answer: str
def draft(state):
    return {{"topic": "{prompt}" + state["topic"]}}
def approve(state):
    from langgraph.types import Command
    return Command(goto="send" if interrupt("ok?") else END, update={{"answer": "x"}})
def send(state):
    return {{}}
built = StateGraph(State)
for name, node in (("draft", draft), ("send", send)):
    built.add_node(name, node)
built.add_node("approve", approve, destinations=("send", END))
built.add_edge(START, "draft")
built.add_edge("draft", "approve")
built.add_conditional_edges("send", lambda state: END, {{END: END}})
graph = built.compile()
"""
    same(stage, agent.format(prompt="a mail"), agent.format(prompt="a letter"))


def test_a_node_that_is_a_method_of_an_object_is_not_made_of_the_graph_it_is_put_into(stage):
    agent = """
class State(TypedDict, total=False):
    topic: str
    answer: str
class Desk:
    def approve(self, state):
        return {{"answer": interrupt("ok?")}}
def draft(state):
    return {{"topic": "{prompt}" + state["topic"]}}
desk = Desk()
built = StateGraph(State)
built.add_node("draft", draft)
built.add_node("approve", desk.approve)
built.add_edge(START, "draft")
built.add_edge("draft", "approve")
built.add_edge("approve", END)
graph = built.compile()
"""
    same(stage, agent.format(prompt="a mail"), agent.format(prompt="a letter"))


TASKS = """
from langgraph.func import entrypoint, task
@task{settings}
def note(text):
    return "{prompt}" + text
@task
def ask(text):
    {test}return interrupt("ok?")
@entrypoint()
def graph(given):
    noted = note("x").result()
    return {{"answer": ask("a").result(), "noted": noted}}
"""


def test_what_a_task_does_that_asks_nobody_is_no_change_for_whoever_waits(stage):
    from tests.langgraph.rows import changed

    old = TASKS.format(settings="", prompt="a mail: ", test="")
    same(stage, old, TASKS.format(settings="(name='note')", prompt="a letter: ", test=""))
    other = changed(old, ("    return interrupt", '    if text == "a":\n        return "auto"\n    return interrupt'))
    verdict = check(*(contract_of(stage, stage.version(name, text)) for name, text in (("one", old), ("two", other))))
    assert verdict.backward != "ok"


RECURSIVE = """
class Settings(BaseModel):
    limit: int = 3
    label: str = "x"
    @classmethod
    def load(cls, values=None):
        found = {}
        for name in cls.model_fields:
            if (raw := (values or {}).get(name.upper())) is not None:
                found[name] = raw
        return cls(**found)
"""


def test_settings_that_go_by_their_own_fields_are_read_to_an_end(stage):
    body = '    if Settings.load().limit > 2:\n        pass\n    return {"answer": interrupt("ok?")}'
    contract = contract_of(stage, stage.version("settings", asking(body, RECURSIVE)))
    assert contract.nodes["approve"].interrupt_calls == ("'ok?'",)


def test_two_objects_of_one_class_are_told_apart(stage):
    before = (
        "class Limit:\n    def __init__(self, most):\n        self.most = most\n"
        "    def allows(self, topic):\n        return len(topic) < self.most\nLOW, HIGH = Limit(1), Limit(9)\n"
    )
    old, new = (
        stage.version(name, if_(f'{first}.allows(state["topic"]) and not {other}.allows(state["topic"] * 5)', before))
        for name, first, other in (("old", "LOW", "HIGH"), ("new", "HIGH", "LOW"))
    )
    assert_foretold(stage, old, new)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_export_ends_with_whoever_has_asked_for_it(tmp_path, how):
    """A job of a pipeline that is cancelled leaves nothing behind."""
    agent = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)\n"
    (tmp_path / "agent.py").write_text(textwrap.dedent(agent))
    command = [sys.executable, "-m", "rollout.cli.app", "contract", "export", "agent:graph", "--timeout", "5m"]
    started = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
    )
    pid = tmp_path / "pid"
    eventually(lambda: pid.exists() and pid.read_text())
    started.send_signal(how)
    started.wait(30)
    eventually(lambda: not Path(f"/proc/{pid.read_text()}").exists())


def test_an_object_that_fails_when_it_is_asked_for_what_it_may_have_is_read_all_the_same(stage):
    before = (
        "class Box:\n    def __init__(self, **values):\n        self.__dict__['values'] = values\n"
        "    def __getattr__(self, name):\n        return self.values[name]\nBOX = Box(limit={limit})\n"
    )
    old, new = (
        stage.version(name, if_("len(state['topic']) > BOX.limit", before.format(limit=limit)))
        for name, limit in (("old", 5), ("new", 0))
    )
    assert_foretold(stage, old, new)
