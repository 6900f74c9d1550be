"""Objects in a checkpoint are made again by the class that is found at their path: what that changes is foretold."""

from __future__ import annotations

import json

import pytest

from rollout.contracts.check import check
from rollout.contracts.contract_text import read
from tests.langgraph.rows import BASE, changed


def keeping(kind: str, made: str, used: str, before: str = "", more: str = "") -> str:
    """An agent that keeps an object in its state while somebody is asked, and uses it afterwards."""
    return changed(
        BASE,
        ("class State(", f"{before}\nclass State("),
        ("    done: str", f"    done: str\n    kept: {kind}{more}"),
        ("def plan(state):\n    return {}", f'def plan(state):\n    return {{"kept": {made}}}'),
        ('state["topic"] + ":"', f'str({used}) + ":"'),
    )


DOC = "class Doc(BaseModel):\n    text: str = 't'\n"
DATA = "@dataclass\nclass Doc:\n    text: str = 't'\n"
MODULE = "from pydantic import BaseModel\n" + DOC
NOTE = "from langchain_core.messages import AIMessage\nclass Note(AIMessage):\n    extra: str = 'e'\n"
MESSAGES = "Annotated[list[AnyMessage], add_messages]"
HOOKED = "class Base:\n    def __post_init__(self):\n        self.text = self.text + LAST\n@dataclass\nclass Doc(Base):\n    text: str = 't'\n"
COLOR = "class Color(Enum):\n    RED = {}\n    BLUE = {}\n"
ADDING = "def keep(one, two):\n    return (one + two)[:MOST]\n"
CHANNEL = """from langgraph.channels import LastValue
class Scaled(LastValue):
    def checkpoint(self):
        return super().checkpoint() * SCALE
    def from_checkpoint(self, checkpoint):
        return super().from_checkpoint(checkpoint if isinstance(checkpoint, str) or not isinstance(checkpoint, int) else checkpoint // SCALE)
"""

OF_ONE_MODULE = {
    "an object in an open key, of a class that needs more": (
        keeping("Any", "Doc()", 'state["kept"].text', DATA),
        keeping("Any", "Doc(1)", 'state["kept"].text', DATA.replace("    text", "    pages: int\n    text")),
    ),
    "a class in an open key is renamed": (
        keeping("Any", "Doc()", 'state["kept"].text', DOC),
        keeping("Any", "Page()", 'state["kept"].text', DOC.replace("Doc", "Page")),
    ),
    "a class in a list of anything is renamed": (
        keeping("list", "[Doc()]", 'state["kept"][0].text', DOC),
        keeping("list", "[Page()]", 'state["kept"][0].text', DOC.replace("Doc", "Page")),
    ),
    "a class below the one that is annotated is renamed": (
        keeping("Base", "Doc()", 'state["kept"].text', "class Base(BaseModel):\n    pass\n" + DOC.replace("(BaseModel)", "(Base)")),
        keeping("Base", "Page()", 'state["kept"].text', "class Base(BaseModel):\n    pass\n" + DOC.replace("(BaseModel)", "(Base)").replace("Doc", "Page")),
    ),
    "a message of one's own is renamed": (
        keeping(MESSAGES, '[Note("n")]', 'state["kept"][0].extra', NOTE),
        keeping(MESSAGES, '[Memo("n")]', 'state["kept"][0].extra', NOTE.replace("Note", "Memo")),
    ),
    "a field that the constructor does not take": (
        keeping("Doc", "Doc()", 'state["kept"].text', DATA),
        keeping("Doc", "Doc()", 'state["kept"].text', DATA.replace("str = 't'", "str = field(init=False, default='t')")),
    ),
    "a hook of a base": (
        keeping("Doc", "Doc()", 'state["kept"].text', "LAST = '!'\n" + HOOKED),
        keeping("Doc", "Doc()", 'state["kept"].text', "LAST = '?'\n" + HOOKED),
    ),
    "values of an enum are swapped": (
        keeping("Color", "Color.RED", 'state["kept"].name', COLOR.format(1, 2)),
        keeping("Color", "Color.RED", 'state["kept"].name', COLOR.format(2, 1)),
    ),
    "values of an enum in an open key are swapped": (
        keeping("Any", "Color.RED", 'state["kept"].name', COLOR.format(1, 2)),
        keeping("Any", "Color.RED", 'state["kept"].name', COLOR.format(2, 1)),
    ),
    "a constant of a reducer": (
        keeping("Annotated[list, keep]", "['a', 'b']", "state['kept']", "MOST = 9\n" + ADDING),
        keeping("Annotated[list, keep]", "['a', 'b']", "state['kept']", "MOST = 1\n" + ADDING).replace('return {"done"', 'return {"kept": [], "done"'),
    ),
    "the form of a channel of one's own": (
        keeping("Annotated[int, Scaled]", "6", "state['kept']", "SCALE = 3\n" + CHANNEL),
        keeping("Annotated[int, Scaled]", "6", "state['kept']", "SCALE = 2\n" + CHANNEL),
    ),
    "a validator of a kept class": (
        keeping("Doc", "Doc()", 'state["kept"].text', "from pydantic import AfterValidator\n" + DOC),
        keeping("Doc", "Doc()", 'state["kept"].text', "from pydantic import AfterValidator\n" + DOC.replace("text: str", "text: Annotated[str, AfterValidator(str.upper)]")),
    ),
    "a field of a kept class is renamed": (
        keeping("Doc", 'Doc(customer="z")', 'getattr(state["kept"], "customer", "")', "class Doc(BaseModel):\n    customer: str = ''\n"),
        keeping("Doc", 'Doc(customer_name="z")', 'state["kept"].customer_name', "class Doc(BaseModel):\n    customer_name: str = ''\n"),
    ),
    "a field of a class in an open key is renamed": (
        keeping("Any", 'Doc(customer="z")', 'getattr(state["kept"], "customer", "")', "class Doc(BaseModel):\n    customer: str = ''\n"),
        keeping("Any", 'Doc(customer_name="z")', 'state["kept"].customer_name', "class Doc(BaseModel):\n    customer_name: str = ''\n"),
    ),
    "a lambda that reduces": (
        keeping("Annotated[list, lambda a, b: a + b]", "['a']", "state['kept']").replace('return {"done"', 'return {"kept": ["b"], "done"'),
        keeping("Annotated[list, lambda a, b: b + a]", "['a']", "state['kept']").replace('return {"done"', 'return {"kept": ["b"], "done"'),
    ),
    "a default of the state that flips": (
        changed(BASE, ("class State(TypedDict, total=False):", "class State(BaseModel):\n    free: bool = False"), ("topic: str", "topic: str = ''"), ("answer: str", "answer: str = ''"),
                ("done: str", "done: str = ''"), ('state["topic"] + ":" + state["answer"]', "str(state.free)")),
        changed(BASE, ("class State(TypedDict, total=False):", "class State(BaseModel):\n    free: bool = True"), ("topic: str", "topic: str = ''"), ("answer: str", "answer: str = ''"),
                ("done: str", "done: str = ''"), ('state["topic"] + ":" + state["answer"]', "str(state.free)")),
    ),
}  # fmt: skip

MOVED = {
    "where it is made": ("Any", "", '__import__("{}").Doc()'),
    "annotated": ("Doc", "from {} import Doc", "Doc()"),
    "in an open key": ("Any", "from {} import Doc", "Doc()"),
    "by its module": ("Any", "import {} as form", "form.Doc()"),
}

HARMLESS = {
    "a private attribute": (keeping("Doc", "Doc()", 'state["kept"].text', DOC), keeping("Doc", "Doc()", 'state["kept"].text', DOC + "    _seen: int = 0\n")),
    "a reducer is renamed": (
        keeping("Annotated[list, keep]", "['a']", "state['kept']", "MOST = 9\n" + ADDING),
        keeping("Annotated[list, join]", "['a']", "state['kept']", "MOST = 9\n" + ADDING.replace("def keep", "def join")),
    ),
    "a class that nothing keeps is renamed": (
        keeping("str", "'a'", 'state["kept"]', DOC), keeping("str", "'a'", 'state["kept"]', DOC.replace("Doc", "Page")),
    ),
    "a field with a default": (
        keeping("Any", "Doc()", 'state["kept"].text', DOC), keeping("Any", "Doc()", 'state["kept"].text', DOC + "    pages: int = 1\n"),
    ),
    "a class that nothing makes is added": (keeping("Any", "1", 'state["kept"]'), keeping("Any", "1", 'state["kept"]', DOC)),
    "a method of a kept class": (
        keeping("Doc", "Doc()", 'state["kept"].text', DOC), keeping("Doc", "Doc()", 'state["kept"].text', DOC + "    def long(self):\n        return self.text * 2\n"),
    ),
    "a member of an enum": (
        keeping("Color", "Color.RED", 'state["kept"].name', COLOR.format(1, 2)),
        keeping("Color", "Color.RED", 'state["kept"].name', COLOR.format(1, 2) + "    GREEN = 3\n"),
    ),
    "the class of the state is renamed": (keeping("Any", "1", 'state["kept"]'), keeping("Any", "1", 'state["kept"]').replace("State(T", "Talk(T").replace("line(State", "line(Talk")),
    "a reducer's docstring": (
        keeping("Annotated[list, keep]", "['a']", "state['kept']", "MOST = 9\n" + ADDING),
        keeping("Annotated[list, keep]", "['a']", "state['kept']", "MOST = 9\n" + ADDING.replace("two):", 'two):\n    "Keep."')),
    ),
}  # fmt: skip


def contract_of(stage, place):
    return read(json.dumps(stage.play(place, stage.store(), ("contract",))[0]))


def assert_foretold(stage, old, new):
    came = []
    for reader in (old, new):
        store = stage.store()
        begun = stage.play(old, store, ("invoke", {"topic": "a"}))[0]
        assert begun["came"] == "waits", begun
        ended = stage.play(reader, store, ("resume", "yes"))[0]
        came.append((ended["came"], ended["values"].get("done"), json.dumps(ended["values"].get("kept"), default=repr)))
    assert came[0] != came[1], f"this pair shows nothing: {came}"
    assert check(contract_of(stage, old), contract_of(stage, new)).backward != "ok"


@pytest.mark.parametrize("what", OF_ONE_MODULE)
def test_an_object_that_is_made_otherwise_is_never_called_ok(stage, what):
    assert_foretold(stage, *(stage.version("kept", source) for source in OF_ONE_MODULE[what]))


@pytest.mark.parametrize("what", MOVED)
def test_a_class_that_is_imported_from_elsewhere_is_never_called_ok(stage, what):
    kind, imported, made = MOVED[what]
    old, new = (
        stage.version(
            "moved",
            keeping(kind, made.format(module), 'state["kept"].text', imported.format(module)),
            **{module: MODULE},
        )
        for module in ("models", "entities")
    )
    assert_foretold(stage, old, new)


@pytest.mark.parametrize("what", HARMLESS)
def test_what_changes_no_object_is_ok(stage, what):
    old, new = (stage.version("same", source) for source in HARMLESS[what])
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    forward = "break" if what == "a member of an enum" else "ok"  # stable does not know the member
    assert (verdict.backward, verdict.forward) == ("ok", forward), verdict.findings


def test_a_class_that_moved_and_is_still_found_where_it_was_is_ok(stage):
    old = stage.version("alias", keeping("Any", "Doc()", 'state["kept"].text', DOC))
    new = stage.version(
        "alias", keeping("Any", "Doc()", 'state["kept"].text', "from entities import Doc"), entities=MODULE
    )
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert verdict.backward == "ok", verdict.findings
