"""Branches that lead to the same, written the same: conditions, early returns, what comes after."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.simplify.comparisons import condition, is_negative, negated
from rollout.contracts.export.code.simplify.purity import acts, cannot_fail, evaluated_first, in_turn, looks_inside
from rollout.contracts.export.code.simplify.rewriting import BODIES

SPREAD_MAX = 300
"""A statement of more parts is not written twice."""

CHOICES_MAX = 2
"""Each conditional expression doubles what is written."""

_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def branched(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return the body of a function with every branch in one form."""
    names = (node for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Name))
    loads = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
    nodes = (node for statement in statements for node in ast.walk(statement))
    for shared in [node for node in nodes if isinstance(node, ast.Global | ast.Nonlocal)]:
        loads.update(shared.names * 2)  # they are read elsewhere too
    return _without_end(_Branches(loads).block(statements), _returns_nothing)


class _Branches:
    def __init__(self, loads: Counter[str]) -> None:
        self._loads = loads

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements in which what follows a branch that leaves is within the other branch."""
        block: list[ast.stmt] = []
        for position, given in enumerate(statements):
            statement, rest = _spread(given), statements[position + 1 :]
            if isinstance(statement, ast.If):
                if len(rest) == 1 and (joined := self._joined(statement, rest[0])) is not None:
                    statement, rest = joined, []
                block += self.branch(statement, rest)
                if not rest or leaves(statement.body) or leaves(statement.orelse):
                    return block
                continue
            if _name_set(statement) == getattr(getattr(statement, "value", None), "id", 0):
                continue  # it is set to what it is
            self._inside(statement)
            block.append(statement)
            if isinstance(statement, _LEAVING):
                return block  # what follows is never reached
            if isinstance(statement, ast.Try) and _goes_on_alone(statement):
                rest, statement.orelse = [*statement.orelse, *rest], []
                return block + self.block(rest)
        return block

    def branch(self, statement: ast.If, rest: list[ast.stmt]) -> list[ast.stmt]:
        """Return a branch in its form, with the rest in the way that goes on, where the other one leaves."""
        body, orelse = statement.body, statement.orelse
        if leaves(body):
            orelse = [*orelse, *rest]
        elif leaves(orelse):
            body = [*body, *rest]
        return branch_of(statement.test, self.block(body), self.block(orelse))

    def _inside(self, statement: ast.stmt) -> None:
        for part in BODIES:
            inner = getattr(statement, part, None)
            if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                is_function = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
                block = branched(inner) if is_function else self.block(inner)
                is_loop = isinstance(statement, ast.For | ast.AsyncFor | ast.While) and part == "body"
                setattr(statement, part, _without_end(block, _goes_on) if is_loop else block)
        for other in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            other.body = self.block(other.body)

    def _joined(self, branch: ast.If, after: ast.stmt) -> ast.If | None:
        """Return a branch with the last statement after it in both ways, where that reads what both have set.

        What is set may then be written where it is read.
        """
        name = _name_at_ends([branch])
        if name is None or not isinstance(after, ast.Return | ast.Expr | ast.Assign):
            return None
        reads = [node for node in ast.walk(after) if isinstance(node, ast.Name) and node.id == name]
        if len(reads) != 1 or self._loads[name] != 1 or sum(1 for _ in ast.walk(after)) > SPREAD_MAX:
            return None
        first = evaluated_first(after)
        for node in in_turn(first) if first is not None else ():
            if node is reads[0]:
                joined = _with_end([branch], lambda end: _with(after, reads[0], end.value))[0]
                return joined if isinstance(joined, ast.If) else None
            if acts(node) or looks_inside(node):
                return None  # it would be looked at before what is set, which may change it
        return None


ENDS_MAX = 8
"""What follows branches is written into so many of them."""


def _ends(statements: list[ast.stmt]) -> list[ast.stmt | None]:
    """Return the last statements of all ways through some statements; None for a way without any."""
    last = statements[-1] if statements else None
    if isinstance(last, ast.If):
        return [*_ends(last.body), *_ends(last.orelse)]
    return [last]


def _name_at_ends(statements: list[ast.stmt]) -> str | None:
    """Return the one variable that is set at the end of all ways."""
    ends = _ends(statements)
    names = {_name_set(end) for end in ends}
    return names.pop() if len(names) == 1 and len(ends) <= ENDS_MAX else None


def _with_end(statements: list[ast.stmt], change: Callable[[ast.Assign], ast.stmt]) -> list[ast.stmt]:
    last = statements[-1]
    if isinstance(last, ast.If):
        return [*statements[:-1], ast.If(last.test, _with_end(last.body, change), _with_end(last.orelse, change))]
    return [*statements[:-1], change(last) if isinstance(last, ast.Assign) else last]


def branch_of(test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> list[ast.stmt]:
    """Return a branch that is asked the shorter way round, without what is never reached."""
    test = condition(test)
    if isinstance(test, ast.Constant):
        return body if test.value else orelse
    if not body and not orelse:
        return [] if cannot_fail(test) else [ast.Expr(test)]
    if not body or (orelse and is_negative(test)):
        test, body, orelse = condition(negated(test)), orelse, body
    if (merged := _merged(test, body, orelse)) is not None:
        return branch_of(*merged)
    return [ast.If(test, body, orelse)]


def _merged(
    test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]
) -> tuple[ast.expr, list[ast.stmt], list[ast.stmt]] | None:
    """Return a branch within a branch as one with both conditions, where two of its three ways are the same."""
    match body, orelse:
        case [ast.If() as inner], _ if _is_same(inner.orelse, orelse):
            return _both(ast.And(), test, inner.test), inner.body, orelse
        case [ast.If() as inner], _ if _is_same(inner.body, orelse):
            return _both(ast.And(), test, negated(inner.test)), inner.orelse, orelse
    match orelse:
        case [ast.If() as inner] if _is_same(inner.body, body):
            return _both(ast.Or(), test, inner.test), body, inner.orelse
        case [ast.If() as inner] if _is_same(inner.orelse, body):
            return _both(ast.Or(), test, negated(inner.test)), body, inner.body
    return None


def _is_same(one: list[ast.stmt], two: list[ast.stmt]) -> bool:
    return [ast.dump(statement) for statement in one] == [ast.dump(statement) for statement in two]


def _both(op: ast.boolop, one: ast.expr, two: ast.expr) -> ast.expr:
    """Return two conditions as one, without parentheses within."""
    parts = (
        test.values if isinstance(test, ast.BoolOp) and type(test.op) is type(op) else [test] for test in (one, two)
    )
    return condition(ast.BoolOp(op, [part for inner in parts for part in inner]))


def leaves(statements: list[ast.stmt]) -> bool:
    """Whether what follows some statements is never reached through them."""
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, ast.If):
        return leaves(last.body) and leaves(last.orelse)
    return isinstance(last, _LEAVING)


def _spread(statement: ast.stmt) -> ast.stmt:
    """Return a statement that begins with a conditional expression as a branch, with the statement in both."""
    first = evaluated_first(statement)
    if first is None or not isinstance(statement, ast.Return | ast.Assign | ast.Expr):
        return statement
    inner = list(ast.walk(statement))
    chained = {id(node.orelse) for node in inner if isinstance(node, ast.IfExp)}
    doubling = sum(isinstance(node, ast.IfExp) and id(node) not in chained for node in inner)
    if len(inner) > SPREAD_MAX or doubling > CHOICES_MAX:
        return statement
    turns = list(in_turn(first))
    for place, node in enumerate(turns):
        if isinstance(node, ast.IfExp):
            its_own = {id(part) for part in ast.walk(node.test)}
            before = [part for part in turns[:place] if id(part) not in its_own]
            decides = any(acts(part) or isinstance(part, ast.BoolOp) for part in before)
            if decides or (acts(node.test) and any(map(looks_inside, before))):
                return statement
            both = [_with(statement, node, value) for value in (node.body, node.orelse)]
            return ast.If(node.test, [both[0]], [both[1]])
    return statement


def _goes_on_alone(tried: ast.Try) -> bool:
    """Whether what comes after a `try` is only reached where nothing failed: its `else` is the same."""
    is_plain = not tried.finalbody and bool(tried.handlers) and bool(tried.orelse)
    return is_plain and all(leaves(handler.body) for handler in tried.handlers)


def _name_set(statement: ast.stmt | None) -> str | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return None


def _with(statement: ast.stmt, old: ast.expr, new: ast.expr) -> ast.stmt:
    """Return a copy of a statement with another expression in it."""
    return copied(statement, {id(old): copied(new)})


def _without_end(statements: list[ast.stmt], is_idle: Callable[[ast.stmt], bool]) -> list[ast.stmt]:
    """Return the end of a function, or a loop, without a statement that does there what happens anyhow."""
    if not statements:
        return []
    last = statements[-1]
    if is_idle(last):
        return _without_end(statements[:-1], is_idle)
    if isinstance(last, ast.If):
        body, orelse = _without_end(last.body, is_idle), _without_end(last.orelse, is_idle)
        return [*statements[:-1], *branch_of(last.test, body, orelse)]
    return statements


def _returns_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Return) and _is_nothing(statement.value)


def _goes_on(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Continue)


def _is_nothing(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)
