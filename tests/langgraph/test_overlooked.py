"""What a quick reading of code overlooks: hidden names, order, failures, what libraries hold, how classes are built."""

from __future__ import annotations

import pytest

from tests.langgraph.rows import BASE, DATACLASS, MODEL, changed
from tests.langgraph.test_questions import ASK, AUTO, asking, assert_foretold, contract_of, if_
from tests.langgraph.test_values import built

SIZE = 'len(state["topic"])'
BUMP = "X = 0\ndef bump():\n    global X\n    X += 2000\n"
ARGUMENTS = '    return {"answer": pick(a=interrupt("ok?"), b="auto")}'
MATCHED = "def pick(pair):\n    match pair:\n        case [a, b]:\n            out = {}\n    return out\n"
FIELDS = "from dataclasses import dataclass\n@dataclass\nclass Policy:\n    {}: int\n    {}: int\n"
CACHED = "import functools\nclass Policy:\n    @functools.cached_property\n    def least(self):\n        return {}\n"
QUIET = "import contextlib\n@contextlib.contextmanager\ndef span():\n    try:\n        yield\n    except TypeError:\n        {}\n"
KEYS = 'class State(BaseModel):\n    topic: str = ""\n'
METHOD = "    def is_free(self):\n        return len(self.topic) < {}\n"
WORDS = '    try:\n        raise ValueError("{}")\n    except ValueError as error:\n        if "free" in str(error):\n            return {{"answer": "auto"}}\n'


def asked(question: str, limit: int, before: str = "") -> str:
    """A node that asks in some way, at most of short topics."""
    return asking(f'    if {SIZE} < {limit}:\n{AUTO}    return {{"answer": {question}}}', before)


CALLED = """class Base:
    def allows(self, state):
        return len(state["topic"]) < {}
class Mixin:
    def allows(self, state):
        return super().allows(state)
class Agent(Mixin, Base):
    def approve(self, state):
        if self.allows(state):
            return {{"answer": "auto"}}
        return {{"answer": interrupt("ok?")}}
approve = Agent().approve
"""
CONTAINING = """class Agent:
    def __contains__(self, topic):
        return len(topic) < {}
    def approve(self, state):
        if state["topic"] in self:
            return {{"answer": "auto"}}
        return {{"answer": interrupt("ok?")}}
approve = Agent().approve
"""
META = """class Kind(type):
    def __contains__(cls, topic):
        return len(topic) < {}
class Free(metaclass=Kind):
    pass
"""
BY_TYPE = """import functools
@functools.singledispatch
def is_free(topic):
    return False
@is_free.register
def _(topic: {}):
    return True
"""
GET = "class Box:\n    def get(self, key, default=3):\n        return default\nBOX = Box()\n"
CALLS = """class State(TypedDict, total=False):
    topic: str
    answer: str
def inner(state):
    return {{"answer": interrupt("ok?")}}
INNER = StateGraph(State)
INNER.add_node(inner)
INNER.add_edge(START, "inner")
INNER = INNER.compile()
def approve(state):
    if len(state["topic"]) < {}:
        return {{"answer": "auto"}}
    return {{"answer": INNER.invoke({{"topic": state["topic"]}})["answer"]}}
"""
NODE = f"def approve(state):\n{ASK}\n"

MADE = """from decimal import Decimal
import re
def make(limit):
    def approve(state):
        if {}:
            return {{"answer": "auto"}}
        return {{"answer": interrupt("ok?")}}
    return approve
"""
COMPOSED = """from langchain_core.runnables import RunnableBranch, RunnableLambda, RunnableParallel, RunnablePassthrough
def ask(state):
    return "auto" if len(state["topic"]) < {} else interrupt("ok?")
def auto(state):
    return "auto"
"""
MODES = """class Mode(str, Enum):
    ASKS = "a"
    FREE = "f"
MODE = Mode.{}
"""
BY_MODE = (
    '    match MODE:\n        case Mode.FREE:\n            return {"answer": "auto"}\n        case _:\n        ' + ASK
)
SHARED = "TAGS = []\ndef is_free(topic, *rest):\n    tags = {}\n    tags.append(topic)\n    return len(tags) > 1\n"
CAUGHT = (
    '    from contextlib import suppress\nBEFORE    with suppress(ValueError):\nWITHIN        if n > 3:\n            return {"answer": "auto"}\n'
    + ASK
)

PAIRS = {
    **{
        f"a {what} in a closure": tuple(changed(BASE, (NODE, MADE.format(test) + f"approve = make({value})\n")) for value in values)
        for what, test, values in (
            ("decimal", f"{SIZE} < limit", ("Decimal('1')", "Decimal('99')")),
            ("pattern", 'limit.search(state["topic"])', ("re.compile('x')", "re.compile('a')")),
            ("range", f"{SIZE} in limit", ("range(0)", "range(99)")),
        )
    },
    **{
        f"what asks within {what}": tuple(built(COMPOSED.format(least), made) for least in (1, 99))
        for what, made in (
            ("parallel steps", "RunnableParallel(answer=ask)"),
            ("an assignment", "RunnablePassthrough.assign(answer=ask)"),
            ("a branch", "RunnableBranch((lambda s: False, auto), ask) | (lambda a: {'answer': a})"),
            ("a fallback", "RunnableLambda(ask).with_fallbacks([RunnableLambda(auto)], exceptions_to_handle=(ValueError,)) | (lambda a: {'answer': a})"),
        )
    },
    "a log line that uses up an iterator": tuple(
        asking(
            f'    words = (w for w in [state["topic"]] if w)\n{line}    if not any(words):\n{AUTO}{ASK}',
            "import logging\nlog = logging.getLogger(__name__)\n",
        )
        for line in ("", '    log.info("%s", ", ".join(words))\n')
    ),
    "a condition of a log line that fails": tuple(
        asking(f'    size = state.get("done")\n{line}{ASK}', "import logging\nlog = logging.getLogger(__name__)\n")
        for line in ("", '    if size > 3:\n        log.info("large")\n')
    ),
    "a list that calls share": tuple(
        asking(f'    if is_free("x") or is_free(state["topic"]):\n{AUTO}{ASK}', SHARED.format(tags)) for tags in ("[]", "TAGS")
    ),
    "a reading past what changes it": (
        asking(f'    words = [state["topic"]]\n    before = len(words)\n    same = words or []\n    same.append("x")\n    if before > 1:\n{AUTO}{ASK}'),
        asking(f'    words = [state["topic"]]\n    same = words or []\n    same.append("x")\n    before = len(words)\n    if before > 1:\n{AUTO}{ASK}'),
    ),
    "an object that has two names": (
        asking(f'    one = [state["topic"]] + ["y"]\n    two = [state["topic"]] + ["y"]\n    one.append("x")\n    if len(two) > 2:\n{AUTO}{ASK}'),
        asking(f'    one = [state["topic"]] + ["y"]\n    two = one\n    one.append("x")\n    if len(two) > 2:\n{AUTO}{ASK}'),
    ),
    "a constant that a match looks at": tuple(asking(BY_MODE, MODES.format(mode)) for mode in ("ASKS", "FREE")),
    "a cache around a wrapper": tuple(
        asking(
            f"    if is_free(state):\n{AUTO}{ASK}",
            "import functools\ndef logged(function):\n    @functools."
            + wraps
            + "\n    def wrapper(*args, **kwargs):\n        return function(*args, **kwargs)\n    return wrapper\n"
            + "@logged\ndef is_free(state):\n    for word in [state]:\n        print(word)\n    return False\n",
        )
        for wraps in ("wraps(function)", "lru_cache(maxsize=None)")
    ),
    "a parameter that is gone": tuple(
        asking(f"    if is_free(state, 5):\n{AUTO}{ASK}", f"def is_free(state{more}):\n    for word in [state]:\n        print(word)\n    return False\n")
        for more in (", limit=3", "")
    ),
    "a config that is not filled in": tuple(
        changed(BASE, ("def approve(state):", f"from langchain_core.runnables import RunnableConfig\ndef approve(state, config: {kind}):"))
        for kind in ("RunnableConfig", "dict")
    ),
    "what is caught by a `with`": (
        asking(CAUGHT.replace("BEFORE", "").replace("WITHIN", '        n = int(state["topic"])\n')), asking(CAUGHT.replace("WITHIN", "").replace("BEFORE", '    n = int(state["topic"])\n')),
    ),
    "what decides about a value of an object": tuple(
        built(
            "import os\nclass Agent:\n    def __init__(self, limit):\n        self.limit = limit\n    def approve(self, state):\n"
             '        if len(state["topic"]) < self.limit:\n            return {"answer": "auto"}\n        return {"answer": interrupt("ok?")}\n'
             f'def build(kind):\n    limit = -int(os.environ.get("NO_SUCH", "7"))\n    if kind == "free":\n        limit = int(os.environ.get("NO_SUCH", "77"))\n    return Agent(limit)\nAGENT = [build("{kind}")]\n',
            "AGENT[0].approve",
        )
        for kind in ("asks", "free")
    ),
    "what super reaches through a mixin": tuple(changed(BASE, (NODE, CALLED.format(least))) for least in (1, 99)),
    "what `in` does": tuple(changed(BASE, (NODE, CONTAINING.format(least))) for least in (1, 99)),
    "what `in` does on a class": tuple(if_('state["topic"] in Free', META.format(least)) for least in (1, 99)),
    "the type that a handler is for": tuple(if_('is_free(state["topic"])', BY_TYPE.format(kind)) for kind in ("int", "str")),
    "a default that a `get` has of its own": (
        if_(f'BOX.get("x", None) == {SIZE} + 2', GET), if_(f'BOX.get("x") == {SIZE} + 2', GET),
    ),
    "when a graph is called that asks": tuple(changed(BASE, (NODE, CALLS.format(least))) for least in (1, 99)),
    "a value of a class that changes under way": (
        asking(f"    before = Box.n\n    bump()\n    if before > 0:\n{AUTO}{ASK}", "class Box:\n    n = 0\ndef bump():\n    Box.n += 1\n"),
        asking(f"    bump()\n    before = Box.n\n    if before > 0:\n{AUTO}{ASK}", "class Box:\n    n = 0\ndef bump():\n    Box.n += 1\n"),
    ),
    "the order of definitions": (
        if_(f"{SIZE} < LIMIT + 0", "BASE_ = int('1')\nLIMIT = BASE_\nBASE_ = int('99')\n"),
        if_(f"{SIZE} < LIMIT + 0", "BASE_ = int('1')\nBASE_ = int('99')\nLIMIT = BASE_\n"),
    ),
    "what makes a default of an object in a turn": tuple(
        asking(
            f'    policy = Policy()\n    if state["topic"] in policy.free:\n{AUTO}{ASK}',
            f"from dataclasses import dataclass, field\n@dataclass\nclass Policy:\n    free: list = field(default_factory=lambda: [{free}])\n",
        )
        for free in ('"x"', '"a"')
    ),
    "a class of a library": (
        if_('isinstance(HumanMessage("x"), Kind)', "from langchain_core.messages import AIMessage as Kind\n"),
        if_('isinstance(HumanMessage("x"), Kind)', "from langchain_core.messages import BaseMessage as Kind\n"),
    ),
    "a constant of a library": (
        if_(f"{SIZE} + 2 > LIMIT", "from math import pi as LIMIT\n"), if_(f"{SIZE} + 2 > LIMIT", "from math import e as LIMIT\n"),
    ),
    "a name that is set by a text": (
        if_(f"{SIZE} < LIMIT", 'LIMIT = 1\nglobals()["LIMIT"] = 1\n'), if_(f"{SIZE} < LIMIT", 'LIMIT = 1\nglobals()["LIMIT"] = 99\n'),
    ),
    "a name that a comprehension hides": tuple(
        asking(f"    twice = [limit for limit in (1, 2)]\n    if {SIZE} < limit:\n{AUTO}{ASK}", f"limit = {limit}\n") for limit in (1, 99)
    ),
    "a global that changes under way": (
        asking(f"    before = X\n    bump()\n    if before > 1000:\n{AUTO}{ASK}", BUMP),
        asking(f"    bump()\n    before = X\n    if before > 1000:\n{AUTO}{ASK}", BUMP),
    ),
    "a key that is not there": (BASE, asking(f'    kind = state["kind"]\n{ASK}')),
    "a statement that fails": (BASE, asking(f'    state["kind"]\n{ASK}')),
    "an import that fails": (BASE, asking(f"    import not_there\n{ASK}")),
    "the names of parameters": (
        asking(ARGUMENTS, "def pick(a, b, *rest):\n    return a\n"), asking(ARGUMENTS, "def pick(b, a, *rest):\n    return b\n"),
    ),
    "what a pattern names": (
        asking('    return {"answer": pick([interrupt("ok?"), "auto"])}', MATCHED.format("a")),
        asking('    return {"answer": pick([interrupt("ok?"), "auto"])}', MATCHED.format("b")),
    ),
    "the order of fields": tuple(
        asking(f"    policy = Policy(1, 99)\n    if {SIZE} < policy.a:\n{AUTO}{ASK}", FIELDS.format(*names)) for names in ("ab", "ba")
    ),
    "a property that is kept": tuple(
        asking(f"    policy = Policy()\n    if {SIZE} < policy.least:\n{AUTO}{ASK}", CACHED.format(least)) for least in (1, 99)
    ),
    "a method of the state": tuple(
        changed(MODEL, (KEYS, KEYS + METHOD.format(least)), (ASK, f"    if state.is_free():\n{AUTO}{ASK}")) for least in (1, 99)
    ),
    "interrupt with an argument": tuple(
        asked("ask()", limit, 'import functools\nask = functools.partial(interrupt, "ok?")\n') for limit in (1, 99)
    ),
    "interrupt by map": tuple(asked('list(map(interrupt, ["ok?"]))[0]', limit) for limit in (1, 99)),
    "interrupt that is handed on": tuple(
        asked("call(interrupt)", limit, 'def call(how, *rest):\n    return how("ok?")\n') for limit in (1, 99)
    ),
    "interrupt in a table": tuple(asked('HOW["h"]("ok?")', limit, 'HOW = {"h": interrupt}\n') for limit in (1, 99)),
    "a context manager that takes failures away": (
        asking('    with span():\n        return {"answer": interrupt("ok?") + 1}\n    return {"answer": "auto"}', QUIET.format("raise")),
        asking('    with span():\n        return {"answer": interrupt("ok?") + 1}\n    return {"answer": "auto"}', QUIET.format("return")),
    ),
    "what is added to an answer": (
        asking('    return {"answer": "got " + interrupt("ok?")[:0]}'), asking('    return {"answer": f"got {interrupt(\'ok?\')[:1]}"}'),
    ),
    "what a node that asks is handed": tuple(
        changed(
            BASE,
            ("class State(", f"class Handed(TypedDict, total=False):\n    {keys}\nclass State("),
            (ASK, f'    if "topic" not in state:\n{AUTO}{ASK}'),
            ("def approve(state):", "def approve(state: Handed):"),
        )
        for keys in ("topic: str\n    answer: str", "answer: str")
    ),
    "what an error of one's own is a kind of": tuple(
        asking(
            f'    try:\n        check(state)\n    except ValueError:\n    {ASK}\n    except LookupError:\n        return {{"answer": "auto"}}',
            f"class Refused({base}):\n    pass\ndef check(state):\n    raise Refused()\n",
        )
        for base in ("ValueError", "LookupError")
    ),
    "a default that a function makes": tuple(
        changed(DATACLASS, ('    topic: str = ""', f'    free: list = field(default_factory=lambda: ["{free}"])\n    topic: str = ""'),
                (ASK, f"    if state.topic in state.free:\n{AUTO}{ASK}"))
        for free in ("b", "a")
    ),
    "a field of settings that are frozen": tuple(
        if_(f"{SIZE} < POLICY.least", f"@dataclass(frozen=True)\nclass Policy:\n    least: int = {least}\nPOLICY = Policy()\n")
        for least in (1, 99)
    ),
    "a method of settings that are frozen": tuple(
        if_(
            'POLICY.allows(state["topic"])',
            f"@dataclass(frozen=True)\nclass Policy:\n    least: int = 2\n    def allows(self, topic):\n        return len(topic) {sign} self.least\nPOLICY = Policy()\n",
        )
        for sign in (">", "<")
    ),
    "an entry of a table of choices": tuple(
        if_(f'{{"x": 1, "b": 2}}.get(state["topic"], {default}) > 2') for default in (1, 3)
    ),
    "one of two guards": (
        asking(f'    if {SIZE} > 9:\n{AUTO}    if state["topic"] == "z":\n{AUTO}{ASK}'),
        asking(f'    if {SIZE} > 9:\n{AUTO}    if state["topic"] != "z":\n{AUTO}{ASK}'),
    ),
    "where a sum begins": tuple(
        asking(f'    size = {first}\n    for word in state["topic"].split():\n        size += len(word)\n    if size < 9:\n{ASK}\n    return {{"answer": "auto"}}'.replace(ASK, "    " + ASK))
        for first in (0, 9)
    ),
    "the words of an error that is read": (asking(WORDS.format("paid") + ASK), asking(WORDS.format("free") + ASK)),
}  # fmt: skip
STARRED = if_(f"{SIZE} < LIMIT", "LIMIT = 1\nfrom elsewhere import *\n")
TRIED = if_(f"{SIZE} < LIMIT", "try:\n    from elsewhere import LIMIT\nexcept ImportError:\n    LIMIT = 1\n")
SET = if_(f"{SIZE} < elsewhere.LIMIT", 'import elsewhere\nsetattr(elsewhere, "LIMIT", elsewhere.OTHER)\n')


@pytest.mark.parametrize("what", PAIRS)
def test_what_is_easily_overlooked_is_never_called_ok(stage, what):
    assert_foretold(stage, *(stage.version("overlooked", source) for source in PAIRS[what]))


@pytest.mark.parametrize("source", [STARRED, TRIED, SET], ids=["every name", "what may not be there", "by setattr"])
def test_a_constant_that_another_module_gives_is_never_called_ok(stage, source):
    modules = (f"LIMIT = {limit}\nOTHER = {limit}\n" for limit in (1, 99))
    assert_foretold(stage, *(stage.version("given", source, elsewhere=text) for text in modules))


def test_code_that_would_double_at_every_step_is_exported_all_the_same(stage):
    """Each form would be written out in 2 ** 12 copies, or more; a bound holds them where they are."""
    doubled = "".join(f"def f{n}(x):\n    return f{n + 1}(x) + f{n + 1}(x)\n" for n in range(12))
    chosen = ", ".join(f'"{n}": state["topic"] if state["topic"] else ""' for n in range(12))
    for source in (
        asking('    return {"answer": f0(interrupt("ok?"))}', doubled + "def f12(x):\n    return x\n"),
        asking(f'    return {{"answer": interrupt({{{chosen}}})}}'),
    ):
        assert contract_of(stage, stage.version("doubled", source)).nodes["approve"].interrupt_calls
