"""What code goes by besides its own lines: objects, closures, files, settings; of this process alone, or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.contracts.check import check
from tests.langgraph.rows import BASE, MODEL, changed
from tests.langgraph.test_questions import ASK, asking, assert_foretold, contract_of, if_

NODE = f"def approve(state):\n{ASK}\n"
BUILT = """built = StateGraph(State)
for name, node in (("plan", plan), ("approve", {}), ("act", act)):
    built.add_node(name, node)
built.add_edge(START, "plan")
built.add_edge("plan", "approve")
built.add_edge("approve", "act")
graph = built.compile()"""
LINED = "graph = line(State, plan, approve, act)"


def built(before: str, node: str) -> str:
    """The agent whose node that asks is this expression, after these lines."""
    return changed(BASE, (NODE, before), (LINED, BUILT.format(node)))


DECIDES = """    def approve(self, state):
        if len(state["topic"]) < self.limit:
            return {"answer": "auto"}
        return {"answer": interrupt("ok?")}
"""
AGENT = f"""import os, time, uuid
class Agent:
    def __init__(self, limit=1):
        self.limit = limit
        self.began, self.id, self.name = time.time(), uuid.uuid4(), str(uuid.uuid4())
        self.folder, self.process = os.path.dirname(__file__), os.getpid()
{DECIDES}"""
CLOSURE = """import time
def make(limit):
    began = time.time()
    def approve(state):
        if len(state["topic"]) < limit or began < 0:
            return {"answer": "auto"}
        return {"answer": interrupt("ok?")}
    return approve
"""
PARTIAL = """import functools, time
def ask(began, limit, state):
    if len(state["topic"]) < limit or began < 0:
        return {"answer": "auto"}
    return {"answer": interrupt("ok?")}
"""
HANDED = """import functools
def decide(state):
    return DECISION
def ask(how, state):
    return {"answer": "auto"} if how(state) else {"answer": interrupt("ok?")}
"""
POLICY = """class Policy:
    def __init__(self, least):
        self.least = least
    def allows(self, state):
        return len(state["topic"]) < self.least + 0
class Agent:
    def __init__(self, policy):
        self.policy = policy
    def approve(self, state):
        policy = self.policy
        for _ in range(1):
            if policy.allows(state):
                return {"answer": "auto"}
        return {"answer": interrupt("ok?")}
"""
CONFIGURED = f"""def approve(state, config):
    if config["configurable"].get("least", 1) > 50:
        return {{"answer": "auto"}}
{ASK}
"""
RULES = """import json
from pathlib import Path
RULES = json.loads((Path(__file__).parent / "rules.json").read_text())
"""
SET_ELSEWHERE = "import settings\nimport prepare\n"

BUILT_AT_ONCE = """import os
class Settings:
    def __init__(self, folder, words):
        self.folder, self.words = folder, words
    def topic(self):
        return self.words + self.folder[:0]
def build():
    settings = Settings(os.path.dirname(__file__), "{}")
    def plan(state):
        return {"topic": settings.topic()}
    def approve(state):
        return {"answer": interrupt("ok?")}
    built = StateGraph(State)
    for node in (plan, approve, act):
        built.add_node(node)
    built.add_edge(START, "plan")
    built.add_edge("plan", "approve")
    built.add_edge("approve", "act")
    return built.compile()
graph = build()"""
ONE_PROCESS = {
    "an object": built(AGENT, "Agent(1).approve"),
    "an object with a name": built(AGENT + "AGENT = Agent(1)\n", "AGENT.approve"),
    "a closure": built(CLOSURE, "make(1)"),
    "arguments that are bound": built(PARTIAL, "functools.partial(ask, time.time(), 1)"),
    "a class": if_(
        'len(state["topic"]) < Limits.least or Limits.began < 0',
        "import time\nclass Limits:\n    began = time.time()\n    least = 1\n",
    ),
    "a default": changed(MODEL, ("class State(BaseModel):", "import uuid\nclass State(BaseModel):\n    run: str = str(uuid.uuid4())")),
}  # fmt: skip
"""Agents that hold what is of one process alone: a time, an address, their folder."""

WRITTEN = {
    "an argument": (built(AGENT, "Agent(1).approve"), "Agent(1)", "Agent(99)"),
    "an argument that is worked out": (built(AGENT, "Agent(1 * 1).approve"), "1 * 1", "3 * 33"),
    "a default of a constructor": (built(AGENT, "Agent().approve"), "limit=1", "limit=99"),
    "what a constructor works out": (built(AGENT, "Agent().approve"), "= limit\n", "= limit * 99\n"),
    "what a factory makes": (
        built(AGENT + "def made(limit):\n    return Agent(limit)\n", 'made(int("1")).approve'), 'int("1")', 'int("99")',
    ),
    "a variable around a function": (built(CLOSURE, "make(1)"), "make(1)", "make(99)"),
    "one that is worked out": (built(CLOSURE, "make(1 * 1)"), "1 * 1", "3 * 33"),
    "an argument that is bound": (built(PARTIAL, "functools.partial(ask, time.time(), 1)"), "time(), 1", "time(), 99"),
    "a function that is handed on": (
        built(HANDED, "functools.partial(ask, decide)"), "return DECISION", "return not DECISION",
    ),
    "a method of an object within": (built(POLICY, "Agent(Policy(1)).approve"), "+ 0", "+ 99"),
    "a value of an object within": (built(POLICY, "Agent(Policy(1)).approve"), "Policy(1)", "Policy(99)"),
    "a value of a named object": (built(POLICY + "AGENT = Agent(Policy(1))\n", "AGENT.approve"), "Policy(1)", "Policy(99)"),
    "a default of a parameter": (
        if_("is_free(state)", 'LEAST = 1\ndef is_free(state, least=LEAST):\n    return len(state["topic"]) < least\n'),
        "LEAST = 1", "LEAST = 99",
    ),
    "a default of the environment": (
        if_('len(state["topic"]) < LEAST', 'import os\nLEAST = int(os.environ.get("NO_SUCH_LIMIT", "1"))\n'), '"1"', '"99"',
    ),
    "names that are given at once": (if_('len(state["topic"]) < LEAST', "LEAST, MOST = 1, 99\n"), "LEAST, MOST", "MOST, LEAST"),
    "an entry that is set": (if_('len(state["topic"]) < LIMITS["a"]', 'LIMITS = {"a": 1}\nLIMITS["b"] = 99\n'), '["b"] = 99', '["a"] = 99'),
    "the order of parameters": (
        asking('    return {"answer": pick(interrupt("ok?"), "auto")}', "def pick(first, second):\n    return first\n"),
        "(first, second)", "(second, first)",
    ),
    "what a graph is configured with": (
        changed(BASE, (NODE, CONFIGURED), (LINED, LINED + '.with_config(configurable={"least": 1})')), '"least": 1', '"least": 99',
    ),
    "what a node is configured with": (
        built(
            "from langchain_core.runnables import RunnableLambda\n" + CONFIGURED,
            'RunnableLambda(approve).with_config(configurable={"least": 1})',
        ),
        '"least": 1', '"least": 99',
    ),
}  # fmt: skip
"""An agent, and what in it is replaced by what: then nobody is asked, or the answer is another one."""

ELSEWHERE = {
    "a file that is read at the start": (if_('len(state["topic"]) < RULES["least"]', RULES), "rules.json", '{"least": 1}'),
    "a file that is read in a turn": (
        if_('len(state["topic"]) < rules()["least"]', RULES.replace("RULES = ", "def rules():\n    return ")), "rules.json", '{"least": 1}',
    ),
    "a file whose name is put together": (
        if_('len(state["topic"]) < RULES["least"]', RULES.replace('"rules.json"', 'f"{KIND}.json"').replace("RULES =", 'KIND = "rules"\nRULES =')),
        "rules.json", '{"least": 1}',
    ),
    "a file that is named after the module": (
        if_('len(state["topic"]) < RULES["least"]', RULES.replace('.parent / "rules.json"', '.with_suffix(".json")')), "agent.json", '{"least": 1}',
    ),
    "a file in a folder that is listed": (
        if_(
            'len(state["topic"]) < RULES["least"]',
            RULES.replace('RULES = json.loads((Path(__file__).parent / "rules.json").read_text())', 'RULES = {}\nfor file in (Path(__file__).parent / "rules").iterdir():\n    RULES |= json.loads(file.read_text())'),
        ),
        "rules/a.json", '{"least": 1}',
    ),
    "a file without a suffix": (
        if_('len(state["topic"]) < RULES["least"]', RULES.replace("rules.json", "my rules")), "my rules", '{"least": 1}',
    ),
    "a file that is code": (
        if_('len(state["topic"]) < RULES["least"]', RULES.replace("rules.json", "rules.py")), "rules.py", '{"least": 1}',
    ),
    "a file that an argument names": (
        built(
            RULES.replace("RULES =", "def rules(name):\n    return").replace('"rules.json"', "name")
            + 'def make(name):\n    def approve(state):\n        if len(state["topic"]) < rules(name)["least"]:\n            return {"answer": "auto"}\n'
            + '        return {"answer": interrupt("ok?")}\n    return approve\n',
            'make("rules.json")',
        ),
        "rules.json", '{"least": 1}',
    ),
    "a module that sets another's constant": (
        if_('len(state["topic"]) < settings.LEAST', SET_ELSEWHERE), "prepare.py", "import settings\nsettings.LEAST = 1\n",
    ),
    "a module that fills another's table": (
        if_('len(state["topic"]) < LIMITS["least"]', "from settings import LIMITS\nimport prepare\n"),
        "prepare.py", "from settings import LIMITS\nLIMITS.update(least=1)\n",
    ),
    "a function that sets another's constant": (
        if_('len(state["topic"]) < settings.LEAST', SET_ELSEWHERE),
        "prepare.py", "import settings\ndef prepare(least):\n    settings.LEAST = least\nprepare(1)\n",
    ),
}  # fmt: skip
"""An agent, a file beside it, and what is in that: with 99 instead of 1 nobody is asked."""


def placed(stage, source, file, text):
    place = stage.version("values", source, settings="LEAST = 1\nLIMITS = {}\n")
    Path(place, file).parent.mkdir(exist_ok=True)
    Path(place, file).write_text(text)
    return place


@pytest.mark.parametrize("what", ONE_PROCESS)
def test_what_is_of_one_process_alone_is_in_no_contract(stage, what):
    one, two = (contract_of(stage, stage.version("process", ONE_PROCESS[what])) for _ in range(2))
    verdict = check(one, two)
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings
    assert one.digest == two.digest


@pytest.mark.parametrize("what", ["a file that is read at the start", "a file that is read in a turn"])
def test_where_a_file_lies_on_a_machine_means_nothing(stage, what):
    source, file, text = ELSEWHERE[what]
    one, two = (contract_of(stage, placed(stage, source, file, text)) for _ in range(2))
    assert one.digest == two.digest


LAID_OUT = {
    "rules.json": ('{"least": 1}', '{\n  "least": 1\n}\n'),
    "rules.yaml": ("least: 1\n", "# of a text\nleast:   1  # letter\n"),
    "rules.toml": ("least = 1\n", "# of a text\nleast=1\n"),
    "rules.txt": ("1", "1"),
}


@pytest.mark.parametrize("file", LAID_OUT)
def test_how_a_file_of_data_is_laid_out_means_nothing_and_what_it_says_does(stage, file):
    source = if_('len(state["topic"]) < len(RULES)', RULES.replace("json.loads(", "(").replace("rules.json", file))
    one, two = LAID_OUT[file]
    contracts = [contract_of(stage, placed(stage, source, file, text)) for text in (one, two, one.replace("1", "2"))]
    digests = [contract.nodes["approve"].digest for contract in contracts]
    assert digests[0] == digests[1] != digests[2]


def test_a_question_beside_an_object_is_not_one_of_whoever_uses_the_object(stage):
    one, two = (
        contract_of(stage, stage.version("beside", changed(BASE, (LINED, BUILT_AT_ONCE.replace("{}", words)))))
        for words in ("a", "b")
    )
    verdict = check(one, two)
    assert one.nodes["plan"].digest != two.nodes["plan"].digest, "it says something else now"
    assert (one.nodes["plan"].interrupt_calls, one.nodes["plan"].may_ask) == ((), False), "but asks nobody"
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings


@pytest.mark.parametrize("what", WRITTEN)
def test_a_value_that_is_written_somewhere_counts(stage, what):
    source, before, after = WRITTEN[what]
    assert_foretold(
        stage,
        *(stage.version("values", changed(text, ("DECISION", "False")) if "DECISION" in text else text)
          for text in (source, changed(source, (before, after)))),
    )  # fmt: skip


@pytest.mark.parametrize("what", ELSEWHERE)
def test_a_value_that_is_set_elsewhere_counts(stage, what):
    source, file, text = ELSEWHERE[what]
    assert_foretold(stage, *(placed(stage, source, file, text.replace("1", limit)) for limit in ("1", "99")))
