"""Whoever waits for a human runs the other version's code from its start: what that changes is foretold."""

from __future__ import annotations

import json

import pytest

from rollout.contracts.check import check
from rollout.contracts.contract_text import read
from tests.langgraph.rows import BASE, changed

ASK = '    return {"answer": interrupt("ok?")}'
AUTO = '        return {"answer": "auto"}\n'


def asking(body: str, before: str = "") -> str:
    """The agent whose node that asks has this body, after these lines."""
    return changed(BASE, (ASK, body)).replace("class State(", f"{before}class State(", 1)


def if_(test: str, before: str = "") -> str:
    return asking(f"    if {test}:\n{AUTO}{ASK}", before)


HELPER = 'def ask():\n    return interrupt("1?")\n'
TWICE = 'def ask():\n    interrupt("0?")\n    return interrupt("1?")\n'
IMPORT = "from langgraph.types import interrupt\n"
TABLE = 'def one():\n    return interrupt("1?")\ndef two():\n    return interrupt("2?") + "!"\n'
AGENT = (
    "class Agent:\n    def __init__(self, limit):\n        self.limit = limit\n    def run(self, state):\n"
    '        if len(state["topic"]) < self.limit:\n            return "auto"\n        return interrupt("ok?")\nAGENT = Agent({limit})\n'
)
ROUTED = changed(
    BASE,
    (
        "graph = line(State, plan, approve, act)",
        """built = StateGraph(State)
for node in (plan, approve, act):
    built.add_node(node.__name__, node)
built.add_edge(START, "plan")
built.add_edge("plan", "approve")
def route(state):
    return "act" if state["answer"] == "yes" else END
built.add_conditional_edges("approve", route, ["act", END])
built.add_edge("act", END)
graph = built.compile()""",
    ),
)

DISPATCH = """from functools import singledispatch
@singledispatch
def handle(value):
    return "other"
@handle.register
def _(value: str):
    interrupt("0?")
    return interrupt("1?")
"""
INSIDE = """class Inside(TypedDict, total=False):
    topic: str
    answer: str
def inquire(state):
    return {"answer": interrupt("1?")}
def inside():
    return line(Inside, inquire)
"""
BASED = """class Base:
    def ask(self):
        interrupt("0?")
        return interrupt("1?")
class Asker(Base):
    def ask(self):
        return super().ask()
"""

CHANGES = {
    "a threshold": (if_('len(state["topic"]) < 1'), if_('len(state["topic"]) < 1000')),
    "a threshold in a local": (
        asking(f'    least = 1\n    if len(state["topic"]) < least:\n{AUTO}{ASK}'),
        asking(f'    least = 99\n    if len(state["topic"]) < least:\n{AUTO}{ASK}'),
    ),
    "what comes before or": (
        asking('    return {"answer": state.get("answer") or interrupt("ok?")}'),
        asking('    return {"answer": state.get("topic") or interrupt("ok?")}'),
    ),
    "a case": (
        asking('    match state["topic"]:\n        case "a":\n' + f'    {ASK}\n    return {{"answer": "auto"}}'.replace("    return", "            return", 1)),
        asking('    match state["topic"]:\n        case "b":\n' + f'    {ASK}\n    return {{"answer": "auto"}}'.replace("    return", "            return", 1)),
    ),
    "an early return": (BASE, if_('state["topic"] == "a"')),
    "a break": (
        asking('    for text in ("1?", "2?"):\n        said = interrupt(text)\n        if said == "no":\n            break\n    return {"answer": said}'),
        asking('    for text in ("1?", "2?"):\n        said = interrupt(text)\n        if said == "yes":\n            break\n    return {"answer": said}'),
    ),
    "a text": (if_('state["topic"] == FREE', 'FREE = "x"\n'), if_('state["topic"] == FREE', 'FREE = "a"\n')),
    "a set": (if_('state["topic"] in FREE', 'FREE = {"x"}\n'), if_('state["topic"] in FREE', 'FREE = {"a", "x"}\n')),
    "a pattern": (
        if_('FREE.match(state["topic"])', 'import re\nFREE = re.compile("x")\n'),
        if_('FREE.match(state["topic"])', 'import re\nFREE = re.compile("a")\n'),
    ),
    "the shape of an answer": (BASE, asking('    return {"answer": interrupt("ok?")["text"]}')),
    "the shape of an answer, in a helper": (
        asking('    return {"answer": shape(interrupt("ok?"))}', "def shape(said):\n    return said\n"),
        asking('    return {"answer": shape(interrupt("ok?"))}', 'def shape(said):\n    return said["text"]\n'),
    ),
    "a table of handlers": (
        asking('    return {"answer": HANDLERS[state["topic"]]()}', TABLE + 'HANDLERS = {"a": one, "b": two}\n'),
        asking('    return {"answer": HANDLERS[state["topic"]]()}', TABLE + 'HANDLERS = {"a": two, "b": one}\n'),
    ),
    "a method of an object made here": (
        asking('    asker = Asker()\n    return {"answer": asker.ask()}', 'class Asker:\n    def ask(self):\n        return interrupt("1?")\n'),
        asking('    asker = Asker()\n    return {"answer": asker.ask()}', 'class Asker:\n    def ask(self):\n        interrupt("0?")\n        return interrupt("1?")\n'),
    ),
    "a method by its name": (
        asking('    return {"answer": getattr(Asker(), "ask")()}', 'class Asker:\n    def ask(self):\n        return interrupt("1?")\n'),
        asking('    return {"answer": getattr(Asker(), "ask")()}', 'class Asker:\n    def ask(self):\n        return "auto"\n'),
    ),
    "a class attribute": (
        if_('len(state["topic"]) < Limits.least', "class Limits:\n    least = 1\n"),
        if_('len(state["topic"]) < Limits.least', "class Limits:\n    least = 99\n"),
    ),
    "an attribute of an object": (
        asking('    return {"answer": AGENT.run(state)}', AGENT.replace("{limit}", "1")),
        asking('    return {"answer": AGENT.run(state)}', AGENT.replace("{limit}", "99")),
    ),
    "a default of a setting": (
        if_('len(state["topic"]) < S.least', "class Settings(BaseModel):\n    least: int = 1\nS = Settings()\n"),
        if_('len(state["topic"]) < S.least', "class Settings(BaseModel):\n    least: int = 99\nS = Settings()\n"),
    ),
    "a function that is handed on": (
        asking('    return {"answer": apply(ask)}', "def apply(how):\n    return how()\n" + HELPER),
        asking('    return {"answer": apply(ask)}', "def apply(how):\n    return how()\n" + TWICE),
    ),
    "a log line that takes something away": (
        if_('"topic" not in state', "import logging\nLOG = logging.getLogger()\n"),
        asking(f'    LOG.info(state.pop("topic"))\n    if "topic" not in state:\n{AUTO}{ASK}', "import logging\nLOG = logging.getLogger()\n"),
    ),
    "which of two definitions holds": (
        if_('len(state["topic"]) < LEAST', "PROD = False\nif PROD:\n    LEAST = 9\nelse:\n    LEAST = 1\n"),
        if_('len(state["topic"]) < LEAST', "PROD = True\nif PROD:\n    LEAST = 9\nelse:\n    LEAST = 1\n"),
    ),
    "a value that a function sets": (
        if_('len(state["topic"]) < LEAST', "LEAST = 0\ndef setup():\n    global LEAST\n    LEAST = 1\nsetup()\n"),
        if_('len(state["topic"]) < LEAST', "LEAST = 0\ndef setup():\n    global LEAST\n    LEAST = 9\nsetup()\n"),
    ),
    "a value that a function is given to change": (
        if_('len(state["topic"]) < CFG["n"]', 'CFG = {"n": 1}\ndef configure(c, n):\n    c["n"] = n\nconfigure(CFG, 1)\n'),
        if_('len(state["topic"]) < CFG["n"]', 'CFG = {"n": 1}\ndef configure(c, n):\n    c["n"] = n\nconfigure(CFG, 9)\n'),
    ),
    "an entry that is deleted": (
        if_('state["topic"] in FREE', 'FREE = {"a": 1, "b": 2}\ndel FREE["a"]\n'), if_('state["topic"] in FREE', 'FREE = {"a": 1, "b": 2}\ndel FREE["b"]\n'),
    ),
    "a function for each type": (
        asking('    return {"answer": handle(state["topic"])}', DISPATCH), asking('    return {"answer": handle(state["topic"])}', DISPATCH.replace('interrupt("0?")', '""')),
    ),
    "a method that a name leads to": (
        asking('    how = getattr(ASKER, "ask_" + state["topic"])\n    return {"answer": how()}', "class Asker:\n" + '    def ask_a(self):\n        return interrupt("1?")\nASKER = Asker()\n'),
        asking('    how = getattr(ASKER, "ask_" + state["topic"])\n    return {"answer": how()}', "class Asker:\n" + '    def ask_a(self):\n        return "auto"\nASKER = Asker()\n'),
    ),
    "a function out of the module's names": (
        asking('    return {"answer": globals()["ask_" + state["topic"]]()}', 'def ask_a():\n    return interrupt("1?")\n'),
        asking('    return {"answer": globals()["ask_" + state["topic"]]()}', 'def ask_a():\n    return "auto"\n'),
    ),
    "a graph that a function makes": (
        asking('    return {"answer": inside().invoke({"topic": "x"})["answer"]}', INSIDE), asking('    return {"answer": inside().invoke({"topic": "x"})["answer"]}', INSIDE.replace("inquire", "wonder")),
    ),
    "a base that is asked": (
        asking('    return {"answer": Asker().ask()}', BASED), asking('    return {"answer": Asker().ask()}', BASED.replace('interrupt("0?")', '""')),
    ),
    "the body of a router": (ROUTED, ROUTED.replace('== "yes"', '!= "yes"')),
}  # fmt: skip
"""By what changes: the version in which somebody waits, and the one that takes over."""

ELSEWHERE = {
    "an import within": ('    from helper import ask\n    return {"answer": ask()}', IMPORT + HELPER, IMPORT + TWICE),
    "a module imported within": ('    import helper\n    return {"answer": helper.ask()}', IMPORT + HELPER, IMPORT + TWICE),
    "a module by its name": (
        '    import importlib\n    return {"answer": importlib.import_module("helper").ask()}', IMPORT + HELPER, IMPORT + TWICE,
    ),
    "a module by a constant": (
        '    import importlib\n    return {"answer": importlib.import_module(NAME).ask()}\nNAME = "helper"', IMPORT + HELPER, IMPORT + TWICE,
    ),
    "a module by __import__": ('    return {"answer": __import__("helper").ask()}', IMPORT + HELPER, IMPORT + TWICE),
    "a constant by getattr": (
        f'    import helper\n    if len(state["topic"]) < getattr(helper, "LEAST"):\n{AUTO}{ASK}', "LEAST = 1\n", "LEAST = 99\n",
    ),
    "a constant of another module": (
        f'    from helper import LEAST\n    if len(state["topic"]) < LEAST:\n{AUTO}{ASK}', "LEAST = 1\n", "LEAST = 99\n",
    ),
}  # fmt: skip

CLIENT = (
    "import os\nclass Client:\n    def __init__(self, address):\n        self.address = address\n"
    '    def ask(self):\n        return interrupt("ok?")\nCLIENT = Client(os.getpid())\n'
)
"""What it holds is another thing in each process."""

HARMLESS = {
    "the name of a local": (
        asking(f'    least = 1\n    if len(state["topic"]) < least:\n{AUTO}{ASK}'),
        asking(f'    limit = 1\n    if len(state["topic"]) < limit:\n{AUTO}{ASK}'),
    ),
    "the name of a constant": (if_('state["topic"] == FREE', 'FREE = "x"\n'), if_('state["topic"] == AUTO', 'AUTO = "x"\n')),
    "the name of a helper": (
        asking('    return {"answer": shape(interrupt("ok?"))}', "def shape(said):\n    return said\n"),
        asking('    return {"answer": form(interrupt("ok?"))}', "def form(said):\n    return said\n"),
    ),
    "the place of the file": (
        asking('    where = Path(__file__).parent\n    return {"answer": interrupt("ok?")}', "from pathlib import Path\n"),
        asking('    where = Path(__file__).parent\n    return {"answer": interrupt("ok?")}', "from pathlib import Path\n"),
    ),
    "a constant is extracted": (if_('len(state["topic"]) < 1'), if_('len(state["topic"]) < LEAST', "LEAST = 1\n")),
    "how a library is imported": (
        if_('json.dumps(state["topic"]) == "x"', "import json\n"), if_('dumps(state["topic"]) == "x"', "from json import dumps\n"),
    ),
    "a log line with a lookup": (BASE, asking(f'    LOG.info("a human is asked about %s", state.get("topic"))\n{ASK}', "import logging\nLOG = logging.getLogger()\n")),
    "a docstring": (BASE, asking(f'    """Ask a human."""\n{ASK}')),
    "a print": (BASE, asking(f'    print("a human is asked")\n{ASK}')),
    "a log line": (BASE, asking(f'    LOG.info("a human is asked")\n{ASK}', "import logging\nLOG = logging.getLogger()\n")),
    "annotations": (BASE, changed(BASE, ("def approve(state):", "def approve(state: State) -> dict:"))),
    "a node that asks nobody": (BASE, changed(BASE, ('state["topic"] + ":"', 'str(state["topic"]) + ":"'))),
    "an address of the environment": (
        asking('    return {"answer": CLIENT.ask()}', CLIENT), asking('    return {"answer": CLIENT.ask()}', CLIENT),
    ),
    "a clock that is read at the start": (
        if_('state["topic"] == str(BEGUN)', "import time\nBEGUN = time.time()\n"),
        if_('state["topic"] == str(BEGUN)', "import time\nBEGUN = time.time()\n"),
    ),
}  # fmt: skip


def contract_of(stage, place):
    return read(json.dumps(stage.play(place, stage.store(), ("contract",))[0]))


def resumed(stage, writer, reader):
    """What comes of a conversation that one version begins and another resumes."""
    store = stage.store()
    begun = stage.play(writer, store, ("invoke", {"topic": "a"}))[0]
    assert begun["came"] == "waits", begun
    return stage.play(reader, store, ("resume", "no"))[0]


def assert_foretold(stage, old, new):
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    as_before, other = resumed(stage, old, old), resumed(stage, old, new)
    assert (as_before["came"], as_before["values"]) != (other["came"], other["values"]), "this pair shows nothing"
    assert verdict.backward != "ok"


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_the_fate_of_an_answer_is_never_called_ok(stage, what):
    old, new = (stage.version(name, source) for name, source in zip(("old", "new"), CHANGES[what], strict=True))
    assert_foretold(stage, old, new)


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_changes_in_another_module_is_never_called_ok(stage, what):
    body, before, after = ELSEWHERE[what]
    old, new = (stage.version(name, asking(body), helper=text) for name, text in (("old", before), ("new", after)))
    assert_foretold(stage, old, new)


@pytest.mark.parametrize("what", HARMLESS)
def test_what_changes_nothing_for_whoever_waits_is_ok(stage, what):
    old, new = (stage.version(name, source) for name, source in zip(("old", "new"), HARMLESS[what], strict=True))
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings


MIDDLEWARE = (
    IMPORT
    + """class Asks:
    def __init__(self, first, key):
        self.first, self.key = first, key
    def approve(self, state):
        if not self.first:
            return {"answer": "auto"}
        return {"answer": interrupt("ok?")}
"""
)
"""A library's: of `langchain_…` the source is not read, but what it is bound to is."""


def test_a_librarys_node_that_asks_is_known_by_its_settings_and_none_of_them_is_told(stage):
    def agent(first):
        node = f'from langchain_asks import Asks\napprove = Asks({first}, "s3cret-value").approve\n'
        return changed(BASE, ("def approve(state):\n" + ASK + "\n", node))

    old, new = (stage.version("asks", agent(first), langchain_asks=MIDDLEWARE) for first in (True, False))
    assert_foretold(stage, old, new)
    assert "s3cret" not in contract_of(stage, old).canonical()


def test_more_code_than_is_read_is_unknown_and_not_silently_left_out(stage):
    def deep(first):
        return "".join(f"def f{n}(*rest):\n    return {f'f{n - 1}()' if n else first}\n" for n in range(401))

    old, new = (
        stage.version("many", asking('    return {"answer": f400()}', deep(first)))
        for first in ("interrupt(1)", "interrupt(2) or interrupt(1)")
    )
    assert check(contract_of(stage, old), contract_of(stage, new)).backward == "unknown"


def test_no_value_of_the_environment_is_written_into_a_contract(stage, monkeypatch):
    source = asking(
        '    return {"answer": interrupt({"key": KEY})}',
        'import os\nKEY = os.environ.get("NO_SUCH", "s3cret-" + "value")\n',
    )
    with_default = changed(
        source, ("class State(TypedDict, total=False):", "class State(BaseModel):\n    key: str = KEY")
    )
    for one in (source, with_default):
        assert "s3cret-value" not in contract_of(stage, stage.version("secret", one)).canonical()


def test_a_question_in_other_words_is_a_risk_and_no_break(stage):
    for before, after in (
        ('{"q": "ok?"}', '{"q": "Is it ok?", "hint": "h"}'),
        ('f"ok {1}?"', 'f"okay {1}?"'),
        ('"ok?"', '"Is it ok?"'),
    ):
        old, new = (
            stage.version("words", asking(f'    return {{"answer": interrupt({text})}}')) for text in (before, after)
        )
        assert check(contract_of(stage, old), contract_of(stage, new)).backward == "risk"


def test_tasks_are_kept_by_their_names(stage):
    source = """
from langgraph.func import entrypoint, task
@task
def fetch(x):
    return x
@entrypoint()
def graph(given):
    value = fetch("a").result()
    return {"done": interrupt("ok?") + value}
"""
    old, new = (stage.version("tasks", text) for text in (source, source.replace("fetch", "load")))
    finding = check(contract_of(stage, old), contract_of(stage, new)).findings[0]
    assert (finding.code, finding.severity) == ("TASK_ORDER", "break")
