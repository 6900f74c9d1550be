"""`match` over constants, written as the conditions that it stands for."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.rewriting import change_bodies


class Matches:
    """Writes `match` as branches, where every case is a constant, several of them, or anything."""

    def __init__(self, scope: Scope, numbers: Iterator[int]) -> None:
        """Write into a function of a scope.

        Args:
            numbers: of variables for what is looked at.
        """
        self._scope, self._numbers = scope, numbers

    def written_out(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements without the `match` that can be written otherwise."""
        block: list[ast.stmt] = []
        for statement in statements:
            change_bodies(statement, self.written_out)
            block += self._branches(statement) if isinstance(statement, ast.Match) else [statement]
        return block

    def _branches(self, statement: ast.Match) -> list[ast.stmt]:
        subject, before = statement.subject, list[ast.stmt]()
        if not isinstance(subject, ast.Name):
            name = f"_m{next(self._numbers)}"
            before = [ast.Assign(targets=[ast.Name(name, ast.Store())], value=subject, lineno=0)]
            subject = ast.Name(name, ast.Load())
            self._scope.local |= {name}
        orelse: list[ast.stmt] = []
        for case in reversed(statement.cases):
            test = _test(case.pattern, subject)
            if test is None:
                return [statement]
            if case.guard is not None:
                test = ast.BoolOp(ast.And(), [test, case.guard])
            orelse = [ast.If(test, case.body, orelse)]
        return [*before, *orelse]


def _test(pattern: ast.pattern, subject: ast.Name) -> ast.expr | None:
    """Return the condition under which a case is taken; None where it is more than a comparison."""
    match pattern:
        case ast.MatchValue(value=value):
            return ast.Compare(copy.copy(subject), [ast.Eq()], [value])
        case ast.MatchSingleton(value=value):
            return ast.Compare(copy.copy(subject), [ast.Is()], [ast.Constant(value)])
        case ast.MatchAs(pattern=None, name=None):
            return ast.Constant(True)
        case ast.MatchOr(patterns=patterns):
            tests = [_test(one, subject) for one in patterns]
            return None if None in tests else ast.BoolOp(ast.Or(), [test for test in tests if test is not None])
    return None
