"""Every way through a function, written by itself: what was decided, or set, on a way is not asked for again on it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.resolving import is_builtin
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import Function
from rollout.contracts.export.code.simplify.branches import branch_of, leaves
from rollout.contracts.export.code.simplify.comparisons import condition, is_negative, negated
from rollout.contracts.export.code.simplify.known import Known
from rollout.contracts.export.code.simplify.mutation import changed_names
from rollout.contracts.export.code.simplify.purity import acts, in_turn
from rollout.contracts.export.code.simplify.rewriting import BODIES
from rollout.contracts.export.code.simplify.stores import without_dead_stores

PARTS_MAX = 3000
"""A function of which the ways have more parts is left as it is."""

_APART = (ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom, ast.Delete, ast.NamedExpr, ast.ClassDef)


class _TooManyError(Exception):
    """All ways through a function are too many to be written."""


def by_ways(body: list[ast.stmt], scope: Scope, *, twice: bool) -> list[ast.stmt]:
    """Return the body of a function with each way by itself; as it was where that cannot be, or is too much.

    Args:
        twice: whether what acts may be written more than once, since it follows more than one way.
    """
    nodes = [node for statement in body for node in ast.walk(statement)]
    if not any(isinstance(node, ast.If | ast.BoolOp) for node in nodes) or any(isinstance(n, _APART) for n in nodes):
        return body
    if any(isinstance(node, ast.Name) and node.id in ("locals", "exec", "eval") for node in nodes):
        return body
    captured = set(_captured(nodes))
    known = Known(scope, captured, _fixed(body, scope))
    try:
        written = _Ways(scope, twice=twice).block(copied(body), known)
    except _TooManyError:
        return body
    return without_dead_stores(written, captured)


def _captured(nodes: Iterable[ast.AST]) -> Iterable[str]:
    """Return the names that are read in functions within, at another time."""
    for node in nodes:
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef | ast.GeneratorExp):
            yield from (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))


def _choice_in(test: ast.expr) -> ast.IfExp | None:
    """Return a conditional expression in a condition, where nothing acts before it."""
    for node in in_turn(test):
        if isinstance(node, ast.IfExp):
            return None if acts(node.test) else node
        if acts(node):
            return None
    return None


def _with(test: ast.expr, old: ast.expr, new: ast.expr) -> ast.expr:
    return copied(test, {id(old): copied(new)})


def _fixed(body: list[ast.stmt], scope: Scope) -> frozenset[str]:
    """Return the parameters that are never set, and of which nothing is changed."""
    function = ast.Module(body, [])
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    names = scope.local - stored
    return frozenset(names - changed_names(function, names, lambda *_: False, within=True))


def _acts(statements: list[ast.stmt]) -> bool:
    return any(map(acts, statements))


@dataclass
class _Ways:
    scope: Scope
    twice: bool
    parts: int = field(default=0, init=False)

    def block(self, statements: list[ast.stmt], known: Known) -> list[ast.stmt]:
        """Return statements in which what follows a branch is within both of its ways."""
        block: list[ast.stmt] = []
        for position, given in enumerate(statements):
            statement = self._as_branch(known.written_into(given))
            if isinstance(statement, ast.If):
                rest = statements[position + 1 :]
                if self.twice or not _acts(rest):
                    return block + self._branch(statement, rest, known)
                block += self._branch(statement, [], known)
                known.forget(statement)
                if block and leaves(block):
                    return block
                continue
            self._inside(statement, known)
            self._count(statement)
            block.append(statement)
            known.note(statement)
            if leaves([statement]):
                return block
        return block

    def _count(self, part: ast.AST) -> None:
        self.parts += sum(1 for _ in ast.walk(part))
        if self.parts > PARTS_MAX:
            raise _TooManyError

    def _branch(self, statement: ast.If, rest: list[ast.stmt], known: Known) -> list[ast.stmt]:
        return self._choose(statement.test, [*statement.body, *rest], [*statement.orelse, *rest], known)

    def _choose(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], known: Known) -> list[ast.stmt]:
        """Return what is done where a condition holds, and where it does not, each part of it asked by itself."""
        test = self._plain(test)
        if isinstance(test, ast.BoolOp) and (self.twice or not _acts(orelse if isinstance(test.op, ast.And) else body)):
            first, *others = test.values
            later = ast.If(others[0] if len(others) == 1 else ast.BoolOp(test.op, others), body, orelse)
            if isinstance(test.op, ast.And):
                return self._choose(first, [later], orelse, known)
            return self._choose(first, body, [later], known)
        choice = _choice_in(test)
        if choice is not None and (self.twice or not _acts([*body, *orelse])):
            chosen, otherwise = (ast.If(_with(test, choice, way), body, orelse) for way in (choice.body, choice.orelse))
            return self._choose(choice.test, [chosen], [otherwise], known)
        if is_negative(test):
            test, body, orelse = condition(negated(test)), orelse, body
        decided = known.decided(test)
        if decided is not None:
            return self.block(copied(body if decided else orelse), known)
        self._count(test)
        held, failed = copy.copy(known), copy.copy(known)
        held.decide(test, holds=True)
        failed.decide(test, holds=False)
        return branch_of(test, self.block(copied(body), held), self.block(copied(orelse), failed))

    def _plain(self, test: ast.expr) -> ast.expr:
        """Return a condition without what only makes `True` or `False` of it."""
        test = condition(test)
        match test:
            case ast.Call(func=function, args=[only], keywords=[]) if is_builtin(function, self.scope, "bool"):
                return self._plain(only)
        return test

    def _as_branch(self, statement: ast.stmt) -> ast.stmt:
        """Return `return a < b and c` as a branch, where its first part can only be `True` or `False`."""
        if not self.twice or not isinstance(statement, ast.Return) or statement.value is None:
            return statement
        match statement.value:
            case ast.BoolOp(op=op, values=[*first, last]) if all(map(self._is_bool, first)):
                test = first[0] if len(first) == 1 else ast.BoolOp(op, first)
                ends: list[list[ast.stmt]] = [[ast.Return(last)], [ast.Return(ast.Constant(isinstance(op, ast.Or)))]]
                return ast.If(test, *(ends if isinstance(op, ast.And) else reversed(ends)))
            case value if self._is_bool(value):
                return ast.If(value, [ast.Return(ast.Constant(True))], [ast.Return(ast.Constant(False))])
        return statement

    def _is_bool(self, value: ast.expr) -> bool:
        match value:
            case ast.Compare(ops=[_]) | ast.UnaryOp(op=ast.Not()):
                return True
            case ast.BoolOp(values=values):
                return all(map(self._is_bool, values))
            case ast.Call(func=function):
                return any(is_builtin(function, self.scope, name) for name in ("bool", "any", "all", "isinstance"))
        return False

    def _inside(self, statement: ast.stmt, known: Known) -> None:
        """Write the ways through a loop, and what is tried: what is set in it is not known there."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        inner_known = copy.copy(known)
        inner_known.forget(statement)
        for part in BODIES:
            inner = getattr(statement, part, None)
            if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                setattr(statement, part, self.block(inner, copy.copy(inner_known)) or [ast.Pass()])
        for other in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            other.body = self.block(other.body, copy.copy(inner_known)) or [ast.Pass()]


def each_way(function: Function, scope: Scope) -> Function:
    """Return a function in the form in which it is compared: all ways through it, each by itself."""
    if sum(1 for _ in ast.walk(function)) > PARTS_MAX:
        return function
    written = copy.copy(function)
    written.body = by_ways(function.body, scope, twice=True)
    return written
