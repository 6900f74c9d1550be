"""Functions within a function that are only called there: helpers that look at its variables."""

from __future__ import annotations

import ast
import copy
from collections import Counter

from rollout.contracts.export.code.names.scope import Scope, stored_in
from rollout.contracts.export.code.names.trees import Function
from rollout.contracts.export.code.simplify.rewriting import BODIES


def functions_within(function: Function) -> dict[str, ast.FunctionDef]:
    """Return the functions that are defined in another one once, by name, and only called there."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    loads = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
    called = Counter(
        node.func.id for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    stored = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    inner = [node for node in ast.walk(function) if isinstance(node, ast.FunctionDef) and node is not function]
    defined = Counter(node.name for node in inner)
    return {
        node.name: node
        for node in inner
        if defined[node.name] == 1 and node.name not in stored and loads[node.name] == called[node.name]
    }


def scope_within(function: ast.FunctionDef, around: Scope) -> Scope:
    """Return the scope of a function within another one: what is not its own is of that."""
    scope = copy.copy(around)
    scope.local, scope.receiver = stored_in(function), ""
    return scope


def without_unread(function: Function, statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements without the functions in them that nothing calls."""
    read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    block: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.FunctionDef) and statement.name not in read and _does_nothing(statement):
            continue
        for part in BODIES:
            inner = getattr(statement, part, None)
            if (
                isinstance(inner, list)
                and inner
                and isinstance(inner[0], ast.stmt)
                and not isinstance(statement, ast.ClassDef)
            ):
                setattr(statement, part, without_unread(function, inner))
        block.append(statement)
    return block


def _does_nothing(definition: ast.FunctionDef) -> bool:
    """Whether a definition itself runs nothing: no decorator, no default."""
    return not (definition.decorator_list or definition.args.defaults or definition.args.kw_defaults)
