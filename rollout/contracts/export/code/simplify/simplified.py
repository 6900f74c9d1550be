"""A function in its simple form: stripped, its helpers and variables written out, its branches in one form."""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import Function
from rollout.contracts.export.code.simplify.branches import branched
from rollout.contracts.export.code.simplify.expressions import Expressions
from rollout.contracts.export.code.simplify.helpers import Helpers, Simple, Simplify
from rollout.contracts.export.code.simplify.inner import functions_within, without_unread
from rollout.contracts.export.code.simplify.loops import Loops
from rollout.contracts.export.code.simplify.matches import Matches
from rollout.contracts.export.code.simplify.stripped import Stripped
from rollout.contracts.export.code.simplify.variables import Variables
from rollout.contracts.export.code.simplify.ways import by_ways
from rollout.contracts.export.code.simplify.wrappers import leave_out_wrappers

ROUNDS_MAX = 4
KEPT_MAX = 5000


def simplified(function: Function, scope: Scope, plain: Any) -> Simple:
    """Return a function in its simple form, with the scope that knows the variables of what was written into it.

    Args:
        plain: the function itself.
    """
    numbers = itertools.count(1)
    known: dict[Any, Simple] = {}

    def simplify(one: Function, its_scope: Scope, within: tuple[Any, ...]) -> Simple:
        key = within[-1], id(its_scope.names.get(its_scope.receiver))
        kept = known.get(key) or _WHOLE.get(key)
        if kept is None:
            kept = known[key] = _simplified(one, its_scope, within, simplify, numbers)
            if kept.is_whole and inspect.isfunction(within[-1]) and len(_WHOLE) < KEPT_MAX:
                _WHOLE[key] = kept
        return kept

    return simplify(function, scope, (plain,))


_WHOLE: dict[Any, Simple] = {}
"""Functions, and what their methods are of, in their simple form: the same for whoever calls them."""


def simplified_value(value: ast.expr, scope: Scope) -> ast.expr:
    """Return an expression of a module's own in its simple form, with the helpers that it calls written out."""
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    function = ast.FunctionDef("", arguments, [ast.Return(copied(value))], [])
    match simplified(function, scope, object()).tree.body:
        case [ast.Return(value=ast.expr() as written)]:
            return written
    return copied(value)


def simplified_statement(statement: ast.stmt, scope: Scope) -> ast.stmt:
    """Return an assignment of a module with the helpers that it calls written out; any other statement as it is."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.value, ast.Call):
        return statement
    key = id(statement), id(scope.names)
    if key not in _STATEMENTS:
        written = copy.copy(statement)
        written.value = simplified_value(statement.value, scope)
        _STATEMENTS[key] = statement, scope, written
    return _STATEMENTS[key][2]


_STATEMENTS: dict[tuple[int, int], tuple[ast.stmt, Scope, ast.stmt]] = {}
"""Statements of modules, each with its scope and its simple form: an id is one object's only while that lives."""


def _simplified(
    function: Function, scope: Scope, within: tuple[Any, ...], simplify: Simplify, numbers: Iterator[int]
) -> Simple:
    scope.mark(function)
    leave_out_wrappers(function, scope)
    Stripped(scope).visit(function)
    function.body = Matches(scope, numbers).written_out(function.body)
    Expressions(scope).visit(function)
    before = ""
    helpers = Helpers(scope, simplify, within, numbers)
    for _ in range(ROUNDS_MAX):
        function.body = Loops(function, scope).written_out(function.body)
        helpers.within = functions_within(function)
        Variables(function, scope.local, scope).write_out()
        function.body = helpers.write_into(function.body)
        scope.local |= helpers.local
        function.body = without_unread(function, function.body)
        Variables(function, scope.local, scope).write_out()
        Expressions(scope).visit(function)
        function.body = by_ways(branched(function.body), scope, twice=False)
        text = ast.dump(function)
        if text == before:
            break
        before = text
    return Simple(function, scope, is_whole=not helpers.is_cut)
