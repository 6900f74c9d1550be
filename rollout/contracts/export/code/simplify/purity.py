"""Which expressions do nothing but look: they may be moved, doubled or left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rollout.contracts.export.code.names.definitions import is_defined

_ACTING = (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
_READING = frozenset(
    {
        "len",
        "str",
        "repr",
        "int",
        "float",
        "bool",
        "type",
        "sorted",
        "list",
        "dict",
        "tuple",
        "sum",
        "round",
        "get",
        "join",
        "format",
        "keys",
        "values",
        "items",
        "strip",
        "lower",
        "upper",
        "isinstance",
        "isEnabledFor",
        "getLogger",
        "get_logger",
    }
)
"""Functions and methods that take nothing away, by the last part of their names."""
_CLOCKS = frozenset({"time", "perf_counter", "monotonic"})


def called_name(node: ast.AST) -> str:
    """Return the last part of what is called, or named."""
    plain = node.func if isinstance(node, ast.Call) else node
    if isinstance(plain, ast.Attribute):
        return plain.attr
    return plain.id if isinstance(plain, ast.Name) else ""


def only_reads(node: ast.AST) -> bool:
    """Whether an expression changes nothing: it calls, at most, what reads."""
    acting = [inner for inner in ast.walk(node) if isinstance(inner, _ACTING)]
    return all(isinstance(inner, ast.Call) and _is_reading(inner) for inner in acting)


def _is_reading(call: ast.Call) -> bool:
    name = called_name(call)
    if name == "dumps":  # it fails on what it does not know, unless it is told what to do then
        return any(keyword.arg == "default" for keyword in call.keywords)
    # `get` without a key takes something out of a queue.
    return name in _READING | _CLOCKS and (name != "get" or bool(call.args))


_MAKING_LISTS = frozenset(
    {"list", "tuple", "sorted", "set", "dict", "split", "splitlines", "copy", "get", "str", "len"}
)


def iterators_in(function: ast.AST) -> set[str]:
    """Return the variables of a function that may be read once only: generators, and what calls return."""
    names = set[str]()
    for node in ast.walk(function):
        value = getattr(node, "value", None)
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) or value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        is_call = isinstance(value, ast.Call) and called_name(value) not in _MAKING_LISTS
        if is_call or any(isinstance(inner, ast.GeneratorExp | ast.Await) for inner in ast.walk(value)):
            names |= {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
    return names


_USING_UP = frozenset({"join", "list", "sorted", "tuple", "dict", "sum", "set"})


def uses_up(node: ast.AST, iterators: set[str]) -> bool:
    """Whether an expression reads something to its end that may be read once only."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Starred):
            parts: list[ast.expr] = [inner.value]
        elif isinstance(inner, ast.Call) and called_name(inner) in _USING_UP:
            parts = list(inner.args)
        else:
            continue
        if any(isinstance(part, ast.Name) and part.id in iterators for part in parts):
            return True
    return False


def is_steady(node: ast.AST) -> bool:
    """Whether an expression changes nothing, and reads the same as long as nothing else changes."""
    calls = [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    return only_reads(node) and not any(called_name(inner) in _CLOCKS for inner in calls)


def cannot_fail(node: ast.AST) -> bool:
    """Whether an expression does nothing at all, and raises nothing: it names, compares, or says something."""
    plain = (ast.Name, ast.Constant, ast.BoolOp, ast.Compare, ast.expr_context, ast.boolop, ast.unaryop)
    same = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)  # an order is not of everything
    is_negated = (inner for inner in ast.walk(node) if isinstance(inner, ast.UnaryOp))
    others = (inner for inner in ast.walk(node) if not isinstance(inner, ast.UnaryOp))
    return all(isinstance(inner, (*plain, *same)) for inner in others) and all(
        isinstance(inner.op, ast.Not) or isinstance(inner.operand, ast.Constant) for inner in is_negated
    )


def acts(node: ast.AST) -> bool:
    """Whether an expression calls, or waits for, anything but what reads."""
    return not only_reads(node)


def looks_inside(node: ast.AST) -> bool:
    """Whether an expression depends on more than what names stand for: on what is in an object."""
    return any(isinstance(inner, ast.Subscript | ast.Attribute | ast.Call | ast.JoinedStr) for inner in ast.walk(node))


def is_clock(value: ast.expr) -> bool:
    """Whether a value that nobody reads may be left out: a clock that was asked, a logger that was made."""
    if called_name(value) in ("getLogger", "get_logger"):
        return True
    return isinstance(value, ast.Call) and only_reads(value) and not is_steady(value) and not value.args


def looks_up(call: ast.Call) -> bool:
    """Whether a call hands out what is under a key, as it is: `state.get("amount", 0)`."""
    is_get = isinstance(call.func, ast.Attribute) and call.func.attr == "get" and not is_defined("get")
    return is_get and not call.keywords and all(isinstance(argument, ast.Constant) for argument in call.args)


_UNSURE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""What is within them happens later, or any number of times."""


def in_turn(node: ast.AST) -> Iterator[ast.AST]:
    """Return what is evaluated, in order, as far as it always is: what a condition decides about is left out.

    Ends before the first part of which that cannot be told.
    """
    if isinstance(node, _UNSURE):
        yield node
        return
    if isinstance(node, ast.IfExp):
        yield from in_turn(node.test)
    elif isinstance(node, ast.BoolOp):
        yield from in_turn(node.values[0])
    elif isinstance(node, ast.Compare):
        yield from in_turn(node.left)
        yield from in_turn(node.comparators[0])
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                yield from in_turn(key)
            yield from in_turn(value)
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr | ast.keyword | ast.FormattedValue):
                yield from in_turn(child)
    yield node


def evaluated_first(statement: ast.stmt) -> ast.expr | None:
    """Return the expression of a statement that is evaluated once, and before all else; None where there is none."""
    match statement:
        case ast.Return(value=value) | ast.Expr(value=value) | ast.Assign(value=value):
            return value
        case ast.If(test=test) | ast.Assert(test=test):
            return test
        case ast.Raise(exc=error):
            return error
        case ast.For(iter=over):
            return over
        case ast.Match(subject=subject):
            return subject
    return None
