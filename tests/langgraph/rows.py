"""Every change whose effect in LangGraph was observed: both agents, what comes of their conversations, what we say.

came: what comes of the first resumed turn when the other version takes a waiting conversation over, backward (old
waits, new resumes) and forward. says: our verdict, backward, forward, hop.
"""

from dataclasses import dataclass, field

PRELUDE = """
import operator
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Optional, Required, TypedDict
from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Send, interrupt
from pydantic import BaseModel, ConfigDict
"""

LINE = """
def line(state, *nodes, **options):
    built = StateGraph(state)
    before = START
    for node in nodes:
        built.add_node(node.__name__, node)
        built.add_edge(before, node.__name__)
        before = node.__name__
    built.add_edge(before, END)
    return built.compile(**options)
"""

BASE = """
class State(TypedDict, total=False):
    topic: str
    answer: str
    done: str
def plan(state):
    return {}
def approve(state):
    return {"answer": interrupt("ok?")}
def act(state):
    return {"done": state["topic"] + ":" + state["answer"]}
graph = line(State, plan, approve, act)
"""

MODEL = BASE.replace(
    """class State(TypedDict, total=False):
    topic: str
    answer: str
    done: str
""",
    """class State(BaseModel):
    topic: str = ""
    answer: str = ""
    done: Optional[str] = None
""",
).replace('state["topic"] + ":" + state["answer"]', 'state.topic + ":" + state.answer')

DATACLASS = MODEL.replace("class State(BaseModel)", "@dataclass\nclass State")


@dataclass(frozen=True)
class Row:
    id: str
    old: str
    new: str
    came: tuple
    says: tuple
    given: dict = field(default_factory=lambda: {"topic": "a"})
    resume: object = "yes"
    answers: tuple = ()
    why: str = ""
    clearable: bool = False


def changed(text, *pairs):
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


def adds(text, line):
    """The text with one more key in its state."""
    anchor = "    done: str\n" if "    done: str\n" in text else "    done: Optional[str] = None\n"
    return changed(text, (anchor, f"{anchor}    {line}\n"))


WRITES = ("def plan(state):\n    return {}", 'def plan(state):\n    return {"extra": "x"}')
STATIC = changed(
    BASE,
    (
        'def approve(state):\n    return {"answer": interrupt("ok?")}',
        'def approve(state):\n    return {"answer": "yes"}',
    ),
    ("graph = line(State, plan, approve, act)", 'graph = line(State, plan, approve, act, interrupt_before=["act"])'),
)

DOC = changed(
    adds(BASE, "doc: Doc"),
    ("class State(", "class Doc(BaseModel):\n    text: str\nclass State("),
    ("def plan(state):\n    return {}", 'def plan(state):\n    return {"doc": Doc(text="t")}'),
    ('state["topic"] + ":"', 'state["doc"].text + ":"'),
)
DOC_DC = changed(DOC, ("class Doc(BaseModel)", "@dataclass\nclass Doc"))
ENUM = changed(
    adds(BASE, "color: Color"),
    ("class State(", 'class Color(Enum):\n    RED = "red"\nclass State('),
    ("def plan(state):\n    return {}", 'def plan(state):\n    return {"color": Color.RED}'),
    ('state["topic"] + ":"', 'state["color"].value + ":"'),
)
LOG = changed(
    adds(BASE, "log: Annotated[list, operator.add]"),
    ("def plan(state):\n    return {}", 'def plan(state):\n    return {"log": ["planned"]}'),
    ('return {"done":', 'return {"log": ["acted"], "done":'),
)
JOIN = """
class State(TypedDict, total=False):
    topic: str
    answer: str
    done: str
def one(state):
    return {}
def two(state):
    return {"answer": interrupt("ok?")}
def three(state):
    return {}
def act(state):
    return {"done": state["answer"]} if "answer" in state else {}
built = StateGraph(State)
for node in (one, two, three, act):
    built.add_node(node.__name__, node)
built.add_edge(START, "one")
built.add_edge(START, "three")
built.add_edge("three", "two")
built.add_edge(["one", "two"], "act")
built.add_edge("act", END)
graph = built.compile()
"""
SEND = """
class State(TypedDict, total=False):
    topic: str
    done: str
def plan(state):
    return {}
def worker(state):
    return {"done": "worked"}
built = StateGraph(State)
built.add_node("plan", plan)
built.add_node("worker", worker)
built.add_edge(START, "plan")
built.add_conditional_edges("plan", lambda state: [Send("worker", state)], ["worker"])
built.add_edge("worker", END)
graph = built.compile(interrupt_before=["worker"])
"""
INNER = changed(
    BASE,
    (
        "def approve(state):",
        "class Inside(TypedDict, total=False):\n    topic: str\n    answer: str\n    secret: str\n"
        "def prepare(state):\n    return {'secret': 's'}\ndef ask(state):",
    ),
    ("def act(state)", "def close(state):\n    return {'answer': state['answer'] + state['secret']}\ndef act(state)"),
    (
        "graph = line(State, plan, approve, act)",
        """built = StateGraph(State)
built.add_node("plan", plan)
built.add_node("approve", line(Inside, prepare, ask, close))
built.add_node("act", act)
built.add_edge(START, "plan")
built.add_edge("plan", "approve")
built.add_edge("approve", "act")
built.add_edge("act", END)
graph = built.compile()""",
    ),
    ('state["topic"] + ":" + state["answer"]', 'state["topic"] + ":" + state.get("answer", "nobody approved")'),
)
FLOW = """
from langgraph.func import entrypoint, task
@task
def fetch(what):
    return "fetched " + what
@task
def mail(what):
    return "mailed " + what
@entrypoint()
def graph(given):
    first = fetch("a").result()
    second = mail("b").result()
    answer = interrupt("ok?")
    return {"first": first, "second": second, "done": answer}
"""

TWO = changed(
    BASE,
    (
        'return {"answer": interrupt("ok?")}',
        'one, two = interrupt("one?"), interrupt("two?")\n    return {"answer": one + "|" + two}',
    ),
)
ALIASED = TWO.replace("interrupt(", "ask(").replace(
    "class State(", "from langgraph.types import interrupt as ask\nclass State("
)
BY_METHOD = changed(
    BASE,
    (
        'def approve(state):\n    return {"answer": interrupt("ok?")}',
        """class Desk:
    def ask(self):
        return interrupt("one?"), interrupt("two?")
    def approve(self, state):
        one, two = self.ask()
        return {"answer": one + "|" + two}
approve = Desk().approve""",
    ),
)
WRAPPED = changed(
    BASE,
    (
        'def approve(state):\n    return {"answer": interrupt("ok?")}',
        """import functools
def guarded(node):
    @functools.wraps(node)
    def wrapper(state):
        one, two = interrupt("one?"), interrupt("two?")
        return node({**state, "answer": one + "|" + two})
    return wrapper
@guarded
def approve(state):
    return {"answer": state["answer"]}""",
    ),
)
LISTED = changed(
    TWO,
    ('interrupt("one?"), interrupt("two?")', "[interrupt(question) for question in QUESTIONS]"),
    ("class State(", 'QUESTIONS = ["one?", "two?"]\nclass State('),
)
PARTIAL = changed(
    TWO,
    ("def approve(state):", "import functools\ndef asked(state, how):"),
    ("def act(state):", 'approve = functools.partial(asked, how="so")\napprove.__name__ = "approve"\ndef act(state):'),
)
CALLABLE = changed(
    TWO,
    ("def approve(state):\n    one", "class Approve:\n  __name__ = 'approve'\n  def __call__(self, state):\n    one"),
    ("def act(state):", "approve = Approve()\ndef act(state):"),
)
NOT_JOINED = changed(JOIN, ('built.add_edge(["one", "two"], "act")', 'built.add_edge("two", "act")'))
PAIR = changed(
    adds(BASE, "key: Pair"),
    ("class State(", "from typing import NamedTuple\nclass Pair(NamedTuple):\n    one: str\nclass State("),
    ("def plan(state):\n    return {}", 'def plan(state):\n    return {"key": Pair("x")}'),
    ('state["topic"] + ":"', 'state["key"].one + ":"'),
)
ALIAS = changed(
    DOC,
    ("    text: str", '    text: str = Field(alias="t")'),
    ('Doc(text="t")', 'Doc(t="x")'),
    ("class Doc(", "from pydantic import Field\nclass Doc("),
)
INPUT = changed(
    BASE,
    ("def act(state):", "class In(BaseModel):\n    topic: str = ''\n    answer: str = ''\ndef act(state: In):"),
    ('state["topic"] + ":" + state["answer"]', 'state.topic + ":" + state.answer'),
)
KEEP = """class Keep:
    def __init__(self, most):
        self.most = most
    def __call__(self, one, two):
        return (one + two)[-self.most:]
class State("""


def swapped(text, ask="interrupt"):
    """The same questions, the other way round."""
    return changed(text, (f'{ask}("one?"), {ask}("two?")', f'{ask}("two?"), {ask}("one?")'))


def typed(hint, value):
    """A key of a type, used as no other type can be."""
    used = "upper()" if hint == "str" else "as_integer_ratio()" if "Decimal" in hint else "isoformat()"
    used = "hex" if "UUID" in hint else "parts" if "Path" in hint else used
    return changed(
        adds(BASE, f"key: {hint}"),
        ("class State(", "import datetime, decimal, pathlib, uuid\nclass State("),
        ("def plan(state):\n    return {}", f'def plan(state):\n    return {{"key": {value}}}'),
        ('state["topic"] + ":"', f'str(state["key"].{used}) + ":"'),
    )


ROWS = (
    Row("S1", BASE, changed(adds(BASE, "extra: str"), WRITES), ("done", "done"), ("ok", "ok", "risk")),
    Row(
        "S2a", BASE,
        changed(adds(BASE, "extra: Required[str]"), WRITES, ('state["topic"] + ":"', 'state["extra"] + ":"')),
        ("KeyError", "done"), ("risk", "ok", "risk"),
    ),
    Row("S2b", MODEL, changed(adds(MODEL, "extra: str"), WRITES), ("ValidationError", "done"), ("break", "ok", "break"),
        given={"topic": "a", "extra": "e"}),
    Row("S2d", DATACLASS, changed(DATACLASS, ('    topic: str = ""', '    extra: str\n    topic: str = ""'), WRITES),
        ("TypeError", "done"), ("break", "ok", "break"), given={"topic": "a", "extra": "e"}),
    Row("S2c", MODEL, changed(adds(MODEL, 'extra: str = "d"'), WRITES), ("done", "done"), ("ok", "ok", "risk")),
    Row(
        "S3a",
        changed(adds(BASE, "extra: Required[str]"), WRITES, ('state["topic"] + ":"', 'state["extra"] + ":"')), BASE,
        ("done", "KeyError"), ("ok", "risk", "risk"),
    ),
    Row("S4", adds(BASE, "customer: str").replace('state["topic"]', 'state["customer"]').replace(*WRITES).replace(
        '{"extra": "x"}', '{"customer": "x"}'),
        adds(BASE, "customer_name: str").replace('state["topic"]', 'state["customer_name"]').replace(*WRITES).replace(
        '{"extra": "x"}', '{"customer_name": "x"}'),
        ("KeyError", "KeyError"), ("break", "break", "break")),
    Row("S5a", BASE, changed(BASE, ("topic: str", "topic: int"), ('state["topic"] + ":"', 'str(state["topic"] + 1) + ":"'),
        ("def plan(state):\n    return {}", 'def plan(state):\n    return {"topic": 1}')),
        ("TypeError", "TypeError"), ("break", "break", "break")),
    Row("S5b", changed(MODEL, ("def plan(state):\n    return {}", 'def plan(state):\n    return {"topic": "t"}')), changed(MODEL, ('topic: str = ""', "topic: int = 0"), ("state.topic +", "str(state.topic) +"),
        ("def plan(state):\n    return {}", 'def plan(state):\n    return {"topic": 7}')),
        ("ValidationError", "ValidationError"), ("break", "break", "break"), given={}),
    Row("S5d", changed(BASE, ("def plan(state):\n    return {}", 'def plan(state):\n    return {"topic": "t"}')),
        changed(BASE, ("topic: str", "topic: Annotated[list, operator.add]"),
        ("def plan(state):\n    return {}", 'def plan(state):\n    return {"topic": ["t"]}'),
        ('return {"done": state["topic"] + ":" + state["answer"]}', 'return {"topic": ["x"], "done": state["answer"]}')),
        ("TypeError", "TypeError"), ("break", "break", "break"), given={}),
    Row("C10", adds(MODEL, 'kind: Literal["a"] = "a"'), changed(adds(MODEL, 'kind: Literal["a", "b"] = "a"'), WRITES,
        ('{"extra": "x"}', '{"kind": "b"}')), ("done", "ValidationError"), ("ok", "break", "break")),
    Row("C11", adds(MODEL, "kind: str = 'a'"), changed(adds(MODEL, "kind: Optional[str] = 'a'"), WRITES,
        ('{"extra": "x"}', '{"kind": None}')), ("done", "ValidationError"), ("ok", "break", "break")),
    Row("C10t", adds(BASE, 'kind: Literal["a"]'), changed(adds(BASE, 'kind: Literal["a", "b"]'), WRITES,
        ('{"extra": "x"}', '{"kind": "b"}')), ("done", "done"), ("ok", "risk", "risk")),
    Row("C7", ENUM, changed(ENUM, ('RED = "red"', 'RED = "red"\n    BLUE = "blue"'), ("Color.RED", "Color.BLUE")),
        ("done", "AttributeError"), ("ok", "break", "break")),
    Row("C8", changed(ENUM, ('RED = "red"', 'RED = "red"\n    BLUE = "blue"'), ("Color.RED", "Color.BLUE")), ENUM,
        ("AttributeError", "done"), ("break", "ok", "break")),
    Row("C1", DOC, changed(DOC, ("Doc", "Document")), ("AttributeError", "AttributeError"), ("break", "break", "break")),
    Row("C1dc", DOC_DC, changed(DOC_DC, ("Doc", "Document")),
        ("AttributeError", "AttributeError"), ("break", "break", "break")),
    Row("C3", DOC, changed(DOC, ("    text: str", "    text: str\n    size: int"), ('Doc(text="t")', 'Doc(text="t", size=1)'),
        ('state["doc"].text + ":"', 'str(state["doc"].size) + ":"')),
        ("AttributeError", "done"), ("break", "ok", "break")),
    Row("C3dc", DOC_DC, changed(DOC_DC, ("    text: str", "    text: str\n    size: int"),
        ('Doc(text="t")', 'Doc(text="t", size=1)')), ("AttributeError", "AttributeError"), ("break", "break", "break")),
    Row("C4", DOC, changed(DOC, ("    text: str", "    text: str\n    size: int = 0")),
        ("done", "done"), ("ok", "ok", "risk")),
    Row("C4dc", DOC_DC, changed(DOC_DC, ("    text: str", "    text: str\n    size: int = 0")),
        ("done", "AttributeError"), ("ok", "break", "break")),
    Row("C5", DOC, changed(DOC, ("    text: str", "    text: list[str]"), ('text="t"', 'text=["t"]'),
        ('state["doc"].text + ":"', 'state["doc"].text.pop() + ":"')),
        ("AttributeError", "TypeError"), ("break", "break", "break")),
    Row("C12", changed(MODEL, ("class State(BaseModel):", "class State(BaseModel):\n    model_config = ConfigDict(extra='forbid')")),
        changed(adds(MODEL, 'extra: str = "d"'), WRITES), ("done", "done"), ("ok", "ok", "risk")),
    Row("D1", LOG, changed(LOG, ("Annotated[list, operator.add]", "list")), ("done", "done"), ("risk", "risk", "risk"),
        why="the accumulated list is replaced"),
    Row("D3", LOG, changed(LOG, ("class State(", "def union(one, two):\n    return set(one) | set(two)\nclass State("),
        ("Annotated[list, operator.add]", "Annotated[set, union]")), ("done", "TypeError"), ("break", "break", "break")),
    Row("D5", LOG, changed(LOG, ("class State(", "def merge(one, two):\n    return {**one, **two}\nclass State("),
        ("Annotated[list, operator.add]", "Annotated[dict, merge]"), ('["planned"]', '{"planned": 1}'), ('["acted"]', '{"acted": 1}')),
        ("TypeError", "TypeError"), ("break", "break", "break")),
    Row("D4", changed(LOG, ("Annotated[list, operator.add]", "Annotated[list[AnyMessage], add_messages]"),
        ('["planned"]', '[("ai", "planned")]'), ('["acted"]', '[("ai", "acted")]')),
        changed(LOG, ("Annotated[list, operator.add]", "Annotated[list[AnyMessage], operator.add]"),
        ('["planned"]', '[("ai", "planned")]'), ('["acted"]', '[("ai", "acted")]')),
        ("done", "done"), ("risk", "risk", "risk"), why="raw tuples stand among messages"),
    Row("N1", BASE, changed(BASE, ("approve", "confirm")), ("silent", "silent"), ("break", "break", "break"), clearable=True),
    Row("N2", BASE, changed(BASE, ("plan", "prepare")), ("done", "done"), ("break", "risk", "break"), clearable=True,
        why="nobody waits there: a look at the live conversations clears it"),
    Row("N3", STATIC, changed(STATIC, ("act", "perform")), ("silent", "silent"), ("break", "break", "break"), resume=None,
        clearable=True),
    Row("N5", BASE, changed(BASE, ("graph = line(State, plan, approve, act)",
        "def audit(state):\n    return {}\ngraph = line(State, plan, approve, audit, act)")),
        ("done", "done"), ("ok", "risk", "risk"), clearable=True),
    Row("N6", SEND, changed(SEND, ("worker", "labourer")), ("silent", "silent"), ("break", "break", "break"), resume=None,
        clearable=True),
    Row("N7b", JOIN, changed(JOIN, ("one", "uno")), ("silent", "silent"), ("break", "break", "break"), clearable=True),
    Row("N7c", JOIN, changed(JOIN, ('["one", "two"]', '["one", "two", "three"]')),
        ("silent", "silent"), ("break", "break", "break"), clearable=True),
    Row("N7d", JOIN, changed(JOIN, ('["one", "two"]', '["two", "one"]')),
        ("silent", "silent"), ("break", "break", "break"), clearable=True),
    Row("N7e", JOIN, changed(JOIN, ('built.add_edge(["one", "two"], "act")', 'built.add_edge("one", "act")\nbuilt.add_edge("two", "act")'),),
        ("done", "silent"), ("risk", "break", "break"), clearable=True),
    Row("N8", adds(STATIC, "extra: str").replace(*WRITES), STATIC, ("waits", "done"), ("break", "ok", "break"), resume=None,
        clearable=True, why="it is stopped there again and again"),
    Row("N9", STATIC, adds(STATIC, "extra: str").replace(*WRITES), ("done", "waits"), ("ok", "break", "break"), resume=None,
        clearable=True),
    Row("I1", BASE, changed(BASE, ('return {"answer": interrupt("ok?")}',
        'sure = interrupt("delete everything?")\n    return {"answer": interrupt("ok?")}')),
        ("waits", "done"), ("break", "break", "break"), why="the answer went to another question"),
    Row("G2", INNER, changed(INNER, ('"approve"', '"approval"')), ("silent", "silent"), ("break", "break", "break"),
        clearable=True),
    Row("G3", INNER, changed(INNER, ("def ask(", "def inquire("), ("prepare, ask, close", "prepare, inquire, close")),
        ("done", "done"), ("break", "break", "break"), clearable=True, why="the parent goes on without approval"),
    Row("G4", INNER, changed(INNER, ("secret", "secret_key")), ("KeyError", "KeyError"), ("break", "break", "break")),
    Row("F3", FLOW, changed(FLOW, ('answer = interrupt("ok?")', 'sure = interrupt("sure?")\n    answer = interrupt("ok?")')),
        ("waits", "done"), ("break", "break", "break"), given={"x": 1}, why="the answer went to another question"),
    Row("F2b", FLOW, changed(FLOW, ('    first = fetch("a").result()\n    second = mail("b").result()\n',
        '    second = mail("b").result()\n    first = fetch("a").result()\n')),
        ("done", "done"), ("break", "break", "break"), given={"x": 1}, why="side effects happen twice"),
    Row("F5", changed(FLOW, ('mail("b")', 'fetch("b")')), changed(FLOW, ('fetch("a")', 'fetch("b")'), ('mail("b")', 'fetch("a")')),
        ("done", "done"), ("break", "break", "break"), given={"x": 1}, why="results are swapped"),
    Row("D2", changed(LOG, ("Annotated[list, operator.add]", "list")), LOG, ("done", "done"), ("risk", "risk", "risk"),
        why="the next write of the old version replaces what was accumulated"),
    Row("G5", BASE, INNER, ("done", "done"), ("break", "break", "break"), why="the node begins anew, and the old answer is used again"),
    Row("F6", FLOW, changed(FLOW, ('    first = fetch("a")', '    zero = fetch("z").result()\n    first = fetch("a")')),
        ("done", "done"), ("break", "break", "break"), given={"x": 1}, why="every task is done once more"),
    # Questions that are asked where one does not see it at once.
    Row("H1", ALIASED, swapped(ALIASED, "ask"), ("done", "done"), ("break", "break", "break"), answers=("1", "2"),
        why="the answer to one question is taken for another"),
    Row("H2", BY_METHOD, swapped(BY_METHOD), ("done", "done"), ("break", "break", "break"), answers=("1", "2")),
    Row("H3", WRAPPED, swapped(WRAPPED), ("done", "done"), ("break", "break", "break"), answers=("1", "2")),
    Row("H4", LISTED, changed(LISTED, ('["one?", "two?"]', '["two?", "one?"]')), ("done", "done"),
        ("break", "break", "break"), answers=("1", "2")),
    Row("H5", PARTIAL, swapped(PARTIAL), ("done", "done"), ("break", "break", "break"), answers=("1", "2")),
    Row("H6", CALLABLE, swapped(CALLABLE), ("done", "done"), ("break", "break", "break"), answers=("1", "2")),
    # The way on from where somebody waits.
    Row("W1", BASE, changed(BASE, ("plan, approve, act)", "plan, act, approve)"), ('state["topic"] + ":" + state["answer"]', '"x"')),
        ("silent", "done"), ("break", "break", "break"), clearable=True, why="a step is left out, or taken twice"),
    Row("W2", NOT_JOINED, changed(NOT_JOINED, ('built.add_edge("two", "act")', 'built.add_edge(["one", "two"], "merge")\nbuilt.add_edge("merge", "act")'),
        ("(one, two, three, act)", "(one, two, three, act, merge)"), ("def act(", "def merge(state):\n    return {}\ndef act(")),
        ("silent", "done"), ("break", "break", "break"), clearable=True),
    Row("W3", BASE.replace("graph = line(", "def build():\n    return line(").replace("approve, act)", "approve, act)\ngraph = build()"),
        changed(BASE, ("graph = line(State, plan, approve, act)", """built = StateGraph(State)
built.add_node("plan", plan)
built.add_node("approve", approve, defer=True)
built.add_node("act", act)
built.add_edge(START, "plan")
built.add_edge("plan", "approve")
built.add_edge("approve", "act")
built.add_edge("act", END)
graph = built.compile()""")), ("TypeError", "done"), ("break", "break", "break"), clearable=True),
    # What is a text to JSON, and an object to whoever reads it back.
    *(
        Row(f"P{number}", typed(hint, value), typed("str", "'x'"), ("AttributeError", "AttributeError"), says)
        for number, (hint, value, says) in enumerate(
            (
                ("datetime.datetime", "datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)", ("break", "break", "break")),
                ("uuid.UUID", "uuid.UUID(int=1)", ("break", "break", "break")),
                ("decimal.Decimal", "decimal.Decimal('1.5')", ("break", "break", "break")),
                ("pathlib.Path", "pathlib.Path('/x')", ("break", "break", "break")),
            )
        )
    ),
    Row("P9", PAIR, changed(PAIR, ("Pair", "Couple")), ("AttributeError", "AttributeError"), ("break", "break", "break")),
    Row("A1", ALIAS, changed(ALIAS, ("text: str", "body: str"), (".text", ".body")),
        ("AttributeError", "AttributeError"), ("break", "break", "break")),
    Row("A2", ALIAS, changed(ALIAS, ('alias="t"', 'alias="tt"'), ('t="x"', 'tt="x"')), ("done", "done"), ("ok", "ok", "ok"),
        why="stores keep the names of fields"),
    Row("A3", INPUT, changed(INPUT, ("    answer: str = ''", "    answer: str = ''\n    extra: str")),
        ("ValidationError", "done"), ("break", "ok", "break")),
    Row("K1", LOG.replace("class State(", KEEP).replace("operator.add", "Keep(5)"),
        LOG.replace("class State(", KEEP).replace("operator.add", "Keep(1)"), ("done", "done"), ("risk", "risk", "risk"),
        why="accumulated entries are lost"),
    Row("L1", BASE, BASE.replace("def approve(state):", "def approve(given):"), ("done", "done"), ("ok", "ok", "ok"),
        why="what a variable is called means nothing"),
    Row("F4", FLOW, changed(FLOW, ('"first": first', '"first": first + "!"')), ("done", "done"),
        ("unknown", "unknown", "unknown"), given={"x": 1}, why="what is kept is in the code alone"),
)  # fmt: skip
