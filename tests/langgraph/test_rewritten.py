"""Code that was only written otherwise is known to ask the same: what a refactoring leaves as it was is ok."""

from __future__ import annotations

import pytest

from rollout.contracts.check import check
from tests.langgraph.rows import BASE, DOC, DOC_DC, adds, changed
from tests.langgraph.test_questions import ASK, AUTO, asking, contract_of, if_

TOPIC = 'state["topic"]'
SHORT = if_(f"len({TOPIC}) < 2")
EITHER = f'    if {TOPIC} == "x":\n    {AUTO[4:]}    else:\n    {ASK}'
NODE = f"def approve(state):\n{ASK}\n"
KEYS = "class State(TypedDict, total=False):\n    topic: str\n    answer: str\n    done: str\n"
ANSWERED = '    answer = interrupt("ok?")\n    if answer == "no":\n        return {"answer": "no!"}\n    return {"answer": answer}'
ASKING = 'def ask():\n    return interrupt("ok?")\n'
INTERRUPT = "from langgraph.types import interrupt\n"
LIMITED = if_(f"len({TOPIC}) < LIMIT", "LIMIT = 2\n")

POLICY = "@dataclass(frozen=True)\nclass Policy:\n    least: int = 2\n    free: tuple = ()\n{}POLICY = Policy({})\n"

WITHIN = {
    "a condition is turned around": (EITHER, f'    if {TOPIC} != "x":\n    {ASK}\n    return {{"answer": "auto"}}'),
    "a condition is negated": (EITHER, f'    if not {TOPIC} == "x":\n    {ASK}\n    else:\n    {AUTO[4:]}'),
    "an early return": (EITHER, f'    if {TOPIC} == "x":\n{AUTO}{ASK}'),
    "a conditional expression": (
        EITHER, f'    return {{"answer": "auto"}} if {TOPIC} == "x" else {{"answer": interrupt("ok?")}}',
    ),
    "a value that is chosen": (
        f'    if {TOPIC} == "x":\n        given = "auto"\n    else:\n        given = interrupt("ok?")\n    return {{"answer": given}}',
        f'    given = "auto" if {TOPIC} == "x" else interrupt("ok?")\n    return {{"answer": given}}',
    ),
    "conditions that are nested": (
        f'    if {TOPIC} == "x" and state.get("answer"):\n{AUTO}{ASK}',
        f'    if {TOPIC} == "x":\n        if state.get("answer"):\n    {AUTO}{ASK}',
    ),
    "a variable for the answer": (ASK, '    answer = interrupt("ok?")\n    return {"answer": answer}'),
    "a variable for the question": (ASK, '    question = "ok?"\n    return {"answer": interrupt(question)}'),
    "a variable for a key": (
        f"    if len({TOPIC}) < 2:\n{AUTO}{ASK}", f"    topic = {TOPIC}\n    if len(topic) < 2:\n{AUTO}{ASK}",
    ),
    "a variable for a condition": (
        f"    if len({TOPIC}) < 2:\n{AUTO}{ASK}", f"    is_short = len({TOPIC}) < 2\n    if is_short:\n{AUTO}{ASK}",
    ),
    "a variable that is set where it is read": (
        ANSWERED, '    if (answer := interrupt("ok?")) == "no":\n        return {"answer": "no!"}\n    return {"answer": answer}',
    ),
    "an object that is filled in": (ASK, '    update = {}\n    update["answer"] = interrupt("ok?")\n    return update'),
    "an object that is named": (ASK, '    update = {"answer": interrupt("ok?")}\n    return update'),
    "an object by its constructor": (ASK, '    return dict(answer=interrupt("ok?"))'),
    "an argument that is named": (ASK, '    return {"answer": interrupt(value="ok?")}'),
    "a text that has nothing to format": (ASK, '    return {"answer": interrupt(f"ok?")}'),
    "a default that is none": (
        f'    if state.get("topic", None) == "x":\n{AUTO}{ASK}', f'    if state.get("topic") == "x":\n{AUTO}{ASK}',
    ),
    "a logger of its own": (ASK, f'    import logging\n    log = logging.getLogger("a")\n    log.info("asks")\n{ASK}'),
    "a clock for a log line": (
        ASK, f'    import time\n    began = time.time()\n    print("asks", time.time() - began)\n{ASK}',
    ),
    "a try that only prints": (ASK, f'    try:\n    {ASK}\n    finally:\n        print("asked")'),
    "a comprehension": (
        f'    words = []\n    for word in {TOPIC}.split():\n        if word:\n            words.append(word.lower())\n    return {{"answer": interrupt(words)}}',
        f'    return {{"answer": interrupt([word.lower() for word in {TOPIC}.split() if word])}}',
    ),
    "any of several": (
        f'    for word in ("a", "b"):\n        if word == {TOPIC}:\n            return {{"answer": interrupt("ok?")}}\n    return {{"answer": "auto"}}',
        f'    for word in ("a", "b"):\n        if not word == {TOPIC}:\n            continue\n        return {{"answer": interrupt("ok?")}}\n    return {{"answer": "auto"}}',
    ),
    "a match": (
        f'    if {TOPIC} == "x":\n{AUTO}    elif {TOPIC} == "y" or {TOPIC} == "z":\n        return {{"answer": "other"}}\n{ASK}',
        f'    match {TOPIC}:\n        case "x":\n        {AUTO}        case "z" | "y":\n            return {{"answer": "other"}}\n        case _:\n        {ASK}',
    ),
    "one of several": (
        f'    topic = {TOPIC}\n    if topic == "x" or topic == "y":\n{AUTO}{ASK}', f'    if {TOPIC} in ("y", "x"):\n{AUTO}{ASK}',
    ),
    "a helper within": (
        f"    if len({TOPIC}) < 2:\n{AUTO}{ASK}",
        f"    def is_short():\n        return len({TOPIC}) < 2\n    if is_short():\n{AUTO}{ASK}",
    ),
    "kinds one by one": (
        f"    topic = {TOPIC}\n    if isinstance(topic, (int, float)):\n{AUTO}{ASK}",
        f"    topic = {TOPIC}\n    if isinstance(topic, int) or isinstance(topic, float):\n{AUTO}{ASK}",
    ),
    "a log line where it is wanted": (
        ASK, f'    import logging\n    log = logging.getLogger("a")\n    if log.isEnabledFor(10):\n        log.debug("asks")\n{ASK}',
    ),
    "a pass": (ASK, f"    pass\n{ASK}"),
    "a choice by the answer": (
        '    answer = interrupt("ok?")\n    if answer == "yes":\n        return {"answer": "granted"}\n    return {"answer": "denied"}',
        '    answer = interrupt("ok?")\n    return {"answer": "granted" if answer == "yes" else "denied"}',
    ),
    "a text that is added up": (
        f'    return {{"answer": interrupt("Pay " + {TOPIC} + "?")}}', f"""    return {{"answer": interrupt(f'Pay {{{TOPIC}}}?')}}""",
    ),
    "a text that is filled in": (
        f'    return {{"answer": interrupt("Pay %s, 100%% of it?" % {TOPIC})}}',
        f'    return {{"answer": interrupt("Pay {{}}, 100% of it?".format(str({TOPIC})))}}',
    ),
    "a table of choices": (
        f'    if {TOPIC} == "x":\n        question = "X?"\n    elif {TOPIC} == "y":\n        question = "Y?"\n    else:\n        question = "ok?"\n    return {{"answer": interrupt(question)}}',
        f'    return {{"answer": interrupt({{"x": "X?", "y": "Y?"}}.get({TOPIC}, "ok?"))}}',
    ),
    "two guards for one": (
        f'    if {TOPIC} == "x" or len({TOPIC}) < 2:\n{AUTO}{ASK}', f'    if {TOPIC} == "x":\n{AUTO}    if len({TOPIC}) < 2:\n{AUTO}{ASK}',
    ),
    "a sum": (
        f"    size = 0\n    for word in {TOPIC}.split():\n        if word:\n            size += len(word)\n    if size < 2:\n{AUTO}{ASK}",
        f"    if sum(len(word) for word in {TOPIC}.split() if word) < 2:\n{AUTO}{ASK}",
    ),
    "none, by what it is": (
        f'    if state.get("answer") != None:\n{AUTO}{ASK}', f'    if state.get("answer") is not None:\n{AUTO}{ASK}',
    ),
}  # fmt: skip
"""The body of the node that asks, before and after."""

AROUND = {
    "a helper for a condition": (SHORT, if_("is_short(state)", f"def is_short(state):\n    return len({TOPIC}) < 2\n")),
    "a helper with a default": (
        SHORT, if_("is_short(state)", f"def is_short(state, least=2):\n    return len({TOPIC}) < least\n"),
    ),
    "a helper that returns early": (
        SHORT,
        if_("is_short(state)", f"def is_short(state):\n    if len({TOPIC}) < 2:\n        return True\n    return False\n"),
    ),
    "a helper that asks": (BASE, asking('    return {"answer": ask()}', ASKING)),
    "a helper for all of it": (
        SHORT, asking("    return decide(state)", f"def decide(state):\n    if len({TOPIC}) < 2:\n{AUTO}{ASK}\n"),
    ),
    "a parameter of another name": (BASE, changed(BASE, ("def approve(state):\n", "def approve(s):\n"))),
    "a lambda": (
        BASE, changed(BASE, (NODE, 'approve = lambda state: {"answer": interrupt("ok?")}\napprove.__name__ = "approve"\n')),
    ),
    "an object that is called": (
        BASE,
        changed(
            BASE,
            (NODE, f'class Approve:\n    __name__ = "approve"\n    def __call__(self, state):\n    {ASK}\napprove = Approve()\n'),
        ),
    ),
    "a helper for what is answered": (
        asking('    said = interrupt("ok?")\n    if isinstance(said, dict):\n        answer = said["a"]\n    else:\n        answer = str(said)\n    return {"answer": answer}'),
        asking(
            '    answer = parsed(interrupt("ok?"))\n    return {"answer": answer}',
            'def parsed(said):\n    if isinstance(said, dict):\n        return said["a"]\n    return str(said)\n',
        ),
    ),
    "a helper that stands in a class": (
        if_("is_short(state)", f"def is_short(state):\n    return len({TOPIC}) < 2\n"),
        if_("Rules.is_short(state)", f"class Rules:\n    @staticmethod\n    def is_short(state):\n        return len({TOPIC}) < 2\n"),
    ),
    "any, in a helper": (
        if_("is_free(state)", f'def is_free(state):\n    for word in FREE:\n        if word in {TOPIC}:\n            return True\n    return False\nFREE = ["x", "y"]\n'),
        if_("is_free(state)", f'def is_free(state):\n    return any(word in {TOPIC} for word in FREE)\nFREE = ["x", "y"]\n'),
    ),
    "a decorator that logs": (
        BASE,
        changed(
            BASE,
            (
                NODE,
                f"""import functools, logging, time
log = logging.getLogger(__name__)
def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        began = time.time()
        result = function(*args, **kwargs)
        log.info("took %s", time.time() - began)
        return result
    return wrapper
@logged
{NODE}""",
            ),
        ),
    ),
    "a decorator with an argument that logs": (
        BASE,
        changed(
            BASE,
            (
                NODE,
                f"""import logging
log = logging.getLogger(__name__)
def logged(name):
    def decorated(function):
        def wrapper(state):
            log.info("runs %s", name)
            return function(state)
        return wrapper
    return decorated
@logged("approve")
{NODE}approve.__name__ = "approve"
""",
            ),
        ),
    ),
    "a helper that only logs": (BASE, asking(f'    audit("asks", state.get("topic"))\n{ASK}', "def audit(what, topic):\n    print(what, topic)\n")),
    "a metric": (
        BASE,
        asking(
            f'    ASKED.labels("approve").inc()\n    with TOOK.time():\n    {ASK}',
            'from prometheus_client import Counter, Histogram\nASKED = Counter("asked", "Asked.", ["node"], registry=None)\nTOOK = Histogram("took", "Took.", registry=None)\n',
        ),
    ),
    "ends of a text": (
        if_(f'{TOPIC}.startswith("x") or {TOPIC}.startswith("y")'), if_(f'{TOPIC}.startswith(("x", "y"))'),
    ),
    "a failure that is logged and raised again": (
        BASE, asking(f"    try:\n    {ASK}\n    except Exception:\n        print('failed')\n        raise"),
    ),
    "a value of a closure": (
        SHORT,
        changed(
            BASE,
            (NODE, f'def make(least):\n    def approve(state):\n        if len({TOPIC}) < least:\n            return {{"answer": "auto"}}\n        return {{"answer": interrupt("ok?")}}\n    return approve\napprove = make(2)\n'),
        ),
    ),
    "an attribute of another name": tuple(
        changed(
            BASE,
            (NODE, f'class Agent:\n    def __init__(self):\n        self.{name} = 2\n    def approve(self, state):\n        if len({TOPIC}) < self.{name}:\n            return {{"answer": "auto"}}\n        return {{"answer": interrupt("ok?")}}\napprove = Agent().approve\n'),
        )
        for name in ("n", "least")
    ),
    "a pattern that is compiled": (
        if_(f're.match("x", {TOPIC})', "import re\n"), if_(f"PATTERN.match({TOPIC})", 'import re\nPATTERN = re.compile("x")\n'),
    ),
    "a parameter that nothing reads": (BASE, changed(BASE, ("def approve(state):\n", "def approve(state, config):\n"))),
    "a member of an enum": (
        if_(f'{TOPIC} == "x"'), if_(f"{TOPIC} == Topic.X", 'class Topic(str, Enum):\n    X = "x"\n'),
    ),
    "the value of a member of an enum": (
        if_(f'{TOPIC} == "x"'), if_(f"{TOPIC} == Topic.X.value", 'class Topic(Enum):\n    X = "x"\n'),
    ),
    "a number of the environment": (
        if_(f"len({TOPIC}) < LEAST", 'import os\nLEAST = int(os.environ.get("NO_LEAST", "2"))\n'),
        if_(f"len({TOPIC}) < LEAST", 'import os\ndef number(name, default):\n    return int(os.getenv(name, default))\nLEAST = number("NO_LEAST", 2)\n'),
    ),
    "a span of one's own": (
        BASE,
        asking(
            f'    with span("approve"):\n    {ASK}',
            "import contextlib, time\n@contextlib.contextmanager\ndef span(name):\n    began = time.time()\n    try:\n        yield\n    finally:\n        print(name, time.time() - began)\n",
        ),
    ),
    "a class that is imported elsewhere": (
        asking(f"    from decimal import Decimal\n    if Decimal(len({TOPIC})) < 2:\n{AUTO}{ASK}"),
        asking(f"    if Decimal(len({TOPIC})) < 2:\n{AUTO}{ASK}", "from decimal import Decimal\n"),
    ),
    "an entry of a table that nothing reads": tuple(
        if_(f'len({TOPIC}) < LIMITS["least"]', f'LIMITS = {{"least": 2, "model": "{model}"}}\n') for model in ("a", "b")
    ),
    "a field of settings that nothing reads": tuple(
        if_(
            f"len({TOPIC}) < SETTINGS.least",
            f'class Settings:\n    def __init__(self, least, model):\n        self.least, self.model = least, model\nSETTINGS = Settings(2, "{model}")\n',
        )
        for model in ("a", "b")
    ),
    "a set that is frozen": (
        if_(f"{TOPIC} in FREE", 'FREE = {"x", "y"}\n'), if_(f"{TOPIC} in FREE", 'FREE = frozenset({"y", "x"})\n'),
    ),
    "a number that is worked out": (LIMITED, if_(f"len({TOPIC}) < LIMIT", "LIMIT = 1 * 4 - 2\n")),
    "members of a set": (if_(f"{TOPIC} in FREE", 'FREE = {"x", "y"}\n'), if_(f"{TOPIC} in FREE", 'FREE = {"y", "x"}\n')),
    "a tuple for a list": (if_(f"{TOPIC} in FREE", 'FREE = ["x", "y"]\n'), if_(f"{TOPIC} in FREE", 'FREE = ("x", "y")\n')),
    "a key that says what is in its list": (adds(BASE, "log: list"), adds(BASE, "log: list[str]")),
    "a field that says what is in its list": tuple(
        changed(DOC_DC, ("    text: str\n", f"    text: str\n    tags: {hint} = field(default_factory=list)\n"))
        for hint in ("list", "list[str]")
    ),
    "settings with a field more": tuple(
        if_(f"{TOPIC} in POLICY.free", POLICY.format(more, "free=('x',)")) for more in ("", "    currency: str = 'EUR'\n")
    ),
    "settings with a default that is given": tuple(
        if_(f"len({TOPIC}) < POLICY.least", POLICY.format("", given)) for given in ("free=('x',)", "least=2, free=('x',)")
    ),
    "settings that are a named tuple": (
        if_(f"len({TOPIC}) < POLICY.least", POLICY.format("", "free=('x',)")),
        if_(
            f"len({TOPIC}) < POLICY.least",
            "from typing import NamedTuple\nclass Policy(NamedTuple):\n    least: int = 2\n    free: tuple = ()\nPOLICY = Policy(free=('x',))\n",
        ),
    ),
    "a method of settings": (
        if_(f"len({TOPIC}) < POLICY.least or {TOPIC} in POLICY.free", POLICY.format("", "free=('x',)")),
        if_(
            f"POLICY.allows({TOPIC})",
            POLICY.format("    def allows(self, topic):\n        return len(topic) < self.least or topic in self.free\n", "free=('x',)"),
        ),
    ),
    "a helper of another node": (changed(BASE, ("def plan", "def other():\n    return 1\ndef plan")), BASE),
}  # fmt: skip
"""The whole agent, before and after."""

MOVED = {
    "a helper": (asking('    return {"answer": ask()}', ASKING), asking('    return {"answer": ask()}', "from elsewhere import ask\n"), INTERRUPT + ASKING),
    "a node": (BASE, changed(BASE, (NODE, "from elsewhere import approve\n")), INTERRUPT + NODE),
    "the state": (BASE, changed(BASE, (KEYS, "from elsewhere import State\n")), "from typing import TypedDict\n" + KEYS),
    "a constant": (LIMITED, if_(f"len({TOPIC}) < LIMIT", "from elsewhere import LIMIT\n"), "LIMIT = 2\n"),
    "a constant, by its module": (LIMITED, if_(f"len({TOPIC}) < elsewhere.LIMIT", "import elsewhere\n"), "LIMIT = 2\n"),
}  # fmt: skip
"""Before, after, and the module to which something was moved."""


def assert_ok(stage, old, new):
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings


@pytest.mark.parametrize("what", WITHIN)
def test_a_body_in_other_words_is_ok(stage, what):
    old, new = (stage.version("words", asking(body)) for body in WITHIN[what])
    assert_ok(stage, old, new)


@pytest.mark.parametrize("what", AROUND)
def test_an_agent_in_other_words_is_ok(stage, what):
    old, new = (stage.version("words", source) for source in AROUND[what])
    assert_ok(stage, old, new)


@pytest.mark.parametrize("what", MOVED)
def test_what_was_moved_to_another_module_is_ok(stage, what):
    before, after, elsewhere = MOVED[what]
    assert_ok(stage, stage.version("here", before), stage.version("moved", after, elsewhere=elsewhere))


def test_a_list_that_is_checked_takes_less_once_it_says_what_is_in_it(stage):
    old, new = (
        stage.version("checked", changed(DOC, ("    text: str\n", f"    text: str\n    tags: {hint} = []\n")))
        for hint in ("list", "list[str]")
    )
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert verdict.backward == "break" and {finding.code for finding in verdict.findings} <= {
        "NARROWED",
        "CHECKS_CHANGED",
    }


def test_a_question_in_another_loop_is_not_known_to_break_anything(stage):
    bodies = (
        "    tries = 0\n    while tries < 3:\n{}{}    return {{'answer': 'no'}}",
        "    tries = 0\n    while True:\n        if tries >= 3:\n            break\n{}{}    return {{'answer': 'no'}}",
    )
    asked = '        if interrupt({"try": tries}) == "yes":\n            return {"answer": "yes"}\n'
    old, new = (stage.version("loops", asking(body.format(asked, "        tries += 1\n"))) for body in bodies)
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert verdict.backward == "unknown" and {finding.code for finding in verdict.findings} == {"QUESTION_CHANGED"}
    assert all(finding.clearable for finding in verdict.findings)
