"""Code in its simple form does what it did: asserted by running both, on functions made at random."""

from __future__ import annotations

import ast
import functools
import itertools
import linecache
import warnings
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import tree_of
from rollout.contracts.export.code.simplify import simplified
from rollout.contracts.export.code.simplify.ways import each_way

NUMBERS = itertools.count()
PRELUDE = """
import enum
TRACE = []
LIMIT = 2 * 3 - 4
NAMES = ("a", "b")
FEW = frozenset({0, 1})
TABLE = {"a": 1, "b": None}
class Kind(int, enum.Enum):
    ONE = 1
def act(value):
    TRACE.append(repr(value))
    return len(TRACE) % 3
"""
VARIABLES = ("x", "y", "z")
INPUTS = ({"a": 1, "b": 0}, {"a": 0, "b": 3}, {"a": 2, "b": 2})


@functools.cache
def expressions(depth: int, helpers: tuple[str, ...]) -> st.SearchStrategy[str]:
    simple = st.sampled_from(['s["a"]', 's["b"]', 's.get("c")', "0", "1", "LIMIT", "k", "None", *VARIABLES])
    if depth == 0:
        return simple
    inner = expressions(depth - 1, helpers)
    forms = [
        simple,
        inner.map("act({})".format),
        st.tuples(inner, inner).map(lambda p: "({} == {})".format(*p)),
        st.tuples(inner, inner).map(lambda p: "({} != {})".format(*p)),
        st.tuples(inner, inner).map(lambda p: "({} and {})".format(*p)),
        st.tuples(inner, inner).map(lambda p: "({} or {})".format(*p)),
        inner.map("(not {})".format),
        inner.map("({} in (2, 1, 0))".format),
        inner.map("(str({}) in NAMES)".format),
        inner.map("({} == Kind.ONE)".format),
        st.sampled_from(VARIABLES).map("({0} == 1 or {0} == 2 or {0} == None)".format),
        st.sampled_from(VARIABLES).map("({0} != 1 and {0} not in (2, 3))".format),
        st.sampled_from(VARIABLES).map("(k in FEW and isinstance({}, (int, list)))".format),
        st.sampled_from(['TABLE["a"]', 'TABLE.get("b", 3)', 'TABLE.get("c", 3)']),
        st.tuples(inner, inner, inner).map(lambda p: "({} if {} else {})".format(*p)),
        st.tuples(inner, inner).map(lambda p: "[{}, {}]".format(*p)),
        st.tuples(inner, inner).map(lambda p: "dict(a={}, b={})".format(*p)),
        st.sampled_from(VARIABLES).map('f"{{{}}}!"'.format),
        st.tuples(st.sampled_from(VARIABLES), inner).map(lambda p: "({} := {})".format(*p)),
        inner.map('("n=" + str({}) + "!")'.format),
        st.tuples(inner, inner).map(lambda p: '("%s-%s, 5%%" % ({}, {}))'.format(*p)),
        st.tuples(inner, inner).map(lambda p: '"{{}}:{{b!r:>4}}".format({}, b={})'.format(*p)),
        inner.map('{{"1": 5, "None": 7}}.get(str({}), 9)'.format),
        st.sampled_from(['s["a"]', "k", *VARIABLES]).map('{{1: "one", 0: "none"}}.get({}, "other")'.format),
        inner.map("({} != None)".format),
        st.sampled_from(["Kind.ONE.value", "Kind.ONE.name", 'int(s.get("c", "12"))']),
    ]
    forms += [inner.map(lambda value, name=name: f"{name}(s, {value})") for name in helpers]
    forms += [inner.map(lambda value, name=name: f"{name}(s, k={value})") for name in helpers]
    return st.one_of(forms)


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines] or ["    pass"]


@functools.cache
def statements(depth: int, helpers: tuple[str, ...], *, in_loop: bool = False) -> st.SearchStrategy[list[str]]:
    value = expressions(2, helpers)
    forms = [
        st.tuples(st.sampled_from(VARIABLES), value).map(lambda p: ["{} = {}".format(*p)]),
        st.tuples(st.sampled_from(VARIABLES), value).map(lambda p: ["{}: object = {}".format(*p)]),
        value.map(lambda text: [f"return {text}"]),
        value.map(lambda text: [text]),
        value.map(lambda text: [f's["b"] = {text}']),
        value.map(lambda text: ["x = {}", f'x["k"] = {text}']),
        st.just(["x = s", 'x["a"] = 5']),
        st.just(["print(k)"]),
        st.tuples(value, value, value).map(
            lambda p: ["z = []", f"for w in (1, {p[0]}):", f"    if {p[1]}:", f"        z.append([w, {p[2]}])"]
        ),
        st.tuples(value, value).map(
            lambda p: [
                "z = {}",
                f"for w in (1, {p[0]}):",
                f"    if {p[1]}:",
                "        continue",
                f"    z[{p[1]}] = {p[0]}",
            ]
        ),
        st.tuples(value, value).map(
            lambda p: [
                "x = False",
                f"for w in (0, {p[0]}):",
                f"    if w == {p[1]}:",
                "        x = True",
                "        break",
            ]
        ),
        st.tuples(st.booleans(), value, value).map(
            lambda p: [f"for w in (0, {p[1]}):", f"    if w == {p[2]}:", f"        return {p[0]}", f"return {not p[0]}"]
        ),
        st.tuples(value, value, st.sampled_from(("0", "1", "False"))).map(
            lambda p: [f"x = {p[2]}", f"for w in (1, {p[0]}):", f"    if {p[1]}:", "        x += w"]
        ),
        st.tuples(value, value, value).map(
            lambda p: [f"if {p[0]}:", f"    return {p[2]}", f"if {p[1]}:", f"    return {p[2]}"]
        ),
        st.just(["x += 1"]),
        st.just(["return"]),
    ]
    if in_loop:
        forms += [st.just(["break"]), st.just(["continue"])]
    if depth:
        inner = blocks(depth - 1, helpers, in_loop=in_loop)
        within = blocks(depth - 1, helpers, in_loop=True)
        forms += [
            st.tuples(value, inner).map(lambda p: [f"if {p[0]}:", *indented(p[1])]),
            st.tuples(value, inner, inner).map(lambda p: [f"if {p[0]}:", *indented(p[1]), "else:", *indented(p[2])]),
            st.tuples(value, within).map(lambda p: [f"for y in (1, {p[0]}):", *indented(p[1])]),
            inner.map(lambda body: ["try:", *indented(body), "finally:", "    print(s)"]),
            st.tuples(value, inner, inner, value).map(
                lambda p: [
                    f"match {p[0]}:",
                    "    case 1 | 2:",
                    *indented(indented(p[1])),
                    "    case None:",
                    *indented(indented(p[2])),
                    f"    case _ if {p[3]}:",
                    "        x = 7",
                ]
            ),
            st.tuples(st.sampled_from(("f", "g")), blocks(0, helpers), value, value).map(
                lambda p: [
                    f"def {p[0]}(v):",
                    *indented([*_within(p[1]), f"return [x, v, {p[2]}]"]),
                    f"z = {p[0]}({p[3]})",
                ]
            ),
        ]
    return st.one_of(forms)


def _within(lines: list[str]) -> list[str]:
    """Statements of a function within: it looks at the variables around it, and has its own."""
    return [
        "y = v",
        *(line.replace("x = ", "y = ").replace("x += ", "y += ").replace("(x :=", "(y :=") for line in lines),
    ]


@functools.cache
def blocks(depth: int, helpers: tuple[str, ...], *, in_loop: bool = False) -> st.SearchStrategy[list[str]]:
    several = st.lists(statements(depth, helpers, in_loop=in_loop), min_size=1, max_size=4)
    return several.map(lambda parts: [line for part in parts for line in part])


@st.composite
def modules(draw: st.DrawFn) -> str:
    """Two helpers, and a function that calls them."""
    source = PRELUDE
    for name, helpers in (("one", ()), ("two", ("one",)), ("node", ("one", "two"))):
        body = ["x = 0", "y = None", *draw(blocks(1 if name != "node" else 2, helpers))]
        body = body if draw(st.booleans()) else [*body, "z = y", "return z"]
        source += "\n".join([f"def {name}(s, k=1):", *indented(body)]) + "\n"
    return source


def loaded(source: str) -> ModuleType:
    name = f"generated_{next(NUMBERS)}"
    module = ModuleType(name)
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    run(source, module, file)
    return module


def run(source: str, module: ModuleType, file: str = "<simple>") -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of `0["a"]`, which is to fail
        exec(compile(source, file, "exec"), vars(module))


def filled(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.For | ast.FunctionDef | ast.Try | ast.match_case) and not node.body:
            node.body = [ast.Pass()]
    return tree


def simple_form(module: ModuleType, *, by_ways: bool = False) -> ModuleType:
    tree = tree_of(module.node)
    scope = Scope.of_function(module.node, tree)
    tree = simplified(tree, scope, module.node).tree
    tree = each_way(tree, scope) if by_ways else tree
    code = ast.unparse(ast.fix_missing_locations(ast.Module([filled(tree)], [])))
    other = loaded(PRELUDE)
    for name in ("one", "two"):
        run(ast.unparse(tree_of(getattr(module, name))), other)
    run(code, other)
    other.code = code
    return other


def outcome(module: ModuleType, given: dict) -> tuple:
    module.TRACE.clear()
    state = dict(given)
    try:
        result = repr(module.node(state))
    except Exception as error:
        return ("raised", type(error).__name__)
    return result, list(module.TRACE), repr(state)


SHARED = """
def bump():
    global TOTAL
    if act(1):
        TOTAL = 5
    else:
        TOTAL = 7
    return TOTAL
def node(s, k=1):
    bump()
    return TOTAL
TOTAL = 0
"""
LOOKED_AT = """
def node(s, k=1):
    if k:
        x = change(s)
    else:
        x = 0
    return [s["b"], x]
def change(s):
    s["b"] = s["b"] + 100
    return act(s["b"])
"""


@pytest.mark.parametrize("source", [SHARED, LOOKED_AT], ids=["a global that is set", "what is looked at before"])
def test_what_is_set_at_the_end_of_branches_stays_set_and_in_order(source):
    module = loaded(PRELUDE + source)
    before = [outcome(module, given_state) for given_state in INPUTS]
    for name in [name for name in ("bump", "change", "node") if hasattr(module, name)]:
        function = getattr(module, name)
        tree = simplified(tree := tree_of(function), Scope.of_function(function, tree), function).tree
        run(
            ast.unparse(ast.fix_missing_locations(ast.Module([filled(tree)], []))).replace(
                "def function", f"def {name}"
            ),
            module,
        )
    module.TOTAL = 0
    assert [outcome(module, given_state) for given_state in INPUTS] == before


WAYS = {
    "a name that a comprehension hides": """
def node(s, k=1):
    size = 1
    sizes = [size for size in (5, 6)]
    if s["a"]:
        act(size)
    return sizes, size
""",
    "members of two enums that are equal": """
class Other(int, enum.Enum):
    FIRST = 1
def node(s, k=1):
    kind = Kind.ONE
    if kind == Other.FIRST:
        act("same")
    return "other" if kind is Other.FIRST else s["a"]
""",
    "a value that grows": """
def node(s, k=1):
    size = 1
    if s["a"]:
        size += size + act(2)
    if size > 1:
        act(size)
    return size
""",
    "a condition that is asked again after a change": """
def node(s, k=1):
    if s["a"]:
        s["a"] = 0
    if s["a"]:
        act("still")
    return s["a"]
""",
    "a name that is no dict": """
def dict(**named):
    return [*named.values()]
def node(s, k=1):
    if s["a"] in dict(first=1):
        act("in")
    return s["b"]
""",
    "a name that is no len": """
def len(names):
    return 0
def node(s, k=1):
    names = [name for name in NAMES]
    if len(names) > 0:
        act(names)
    return s["a"]
""",
}


@pytest.mark.parametrize("what", WAYS)
def test_ways_that_are_written_out_lead_where_they_did(what):
    module = loaded(PRELUDE.replace("return len(TRACE) % 3", "return TRACE.__len__() % 3") + WAYS[what])
    tree = tree_of(module.node)
    scope = Scope.of_function(module.node, tree)
    tree = each_way(simplified(tree, scope, module.node).tree, scope)
    before = [outcome(module, given_state) for given_state in INPUTS]
    run(
        ast.unparse(ast.fix_missing_locations(ast.Module([filled(tree)], []))).replace("def function", "def node"),
        module,
    )
    assert [outcome(module, given_state) for given_state in INPUTS] == before


@given(modules())
def test_code_in_its_simple_form_and_by_its_ways_does_what_it_did(source):
    module = loaded(source)
    others = [simple_form(module), simple_form(module, by_ways=True)]
    for given_state in INPUTS:
        before = outcome(module, given_state)
        if before[0] == "raised":
            continue  # where it fails, it may do so sooner or later
        for other in others:
            assert outcome(other, given_state) == before, f"{source}\n----\n{other.code}"
