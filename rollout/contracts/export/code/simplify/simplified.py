"""A function in its simple form: stripped, its helpers and variables written out, its branches in one form."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import Function
from rollout.contracts.export.code.simplify.branches import branched
from rollout.contracts.export.code.simplify.expressions import Expressions
from rollout.contracts.export.code.simplify.helpers import Helpers, Simplify
from rollout.contracts.export.code.simplify.stripped import Stripped
from rollout.contracts.export.code.simplify.variables import Variables

ROUNDS_MAX = 4


def simplified(function: Function, scope: Scope, plain: Any) -> Function:
    """Return the tree of a function in its simple form; its scope knows of the variables of what was written into it.

    Args:
        plain: the function itself.
    """
    numbers = itertools.count(1)
    known: dict[Any, Function] = {}

    def simplify(one: Function, its_scope: Scope, within: tuple[Any, ...]) -> Function:
        if within[-1] not in known:
            known[within[-1]] = _simplified(one, its_scope, within, simplify, numbers)
        return known[within[-1]]

    return simplify(function, scope, (plain,))


def _simplified(
    function: Function, scope: Scope, within: tuple[Any, ...], simplify: Simplify, numbers: Iterator[int]
) -> Function:
    scope.mark(function)
    Stripped(scope).visit(function)
    Expressions(scope).visit(function)
    before = ""
    helpers = Helpers(scope, simplify, within, numbers)
    for _ in range(ROUNDS_MAX):
        Variables(function, scope.local, scope).write_out()
        function.body = helpers.write_into(function.body)
        scope.local |= helpers.local
        Variables(function, scope.local, scope).write_out()
        Expressions(scope).visit(function)
        function.body = branched(function.body)
        text = ast.dump(function)
        if text == before:
            break
        before = text
    return function
