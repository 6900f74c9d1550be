"""Modules that code hands on as they are: whoever is handed one may look through all of it."""

from __future__ import annotations

import ast
from types import ModuleType

from rollout.contracts.export.code.names.ownership import is_own_module
from rollout.contracts.export.code.names.resolving import resolved
from rollout.contracts.export.code.names.scope import Scope

_BY_NAME = frozenset({"getattr", "hasattr"})


def modules_handed_on(tree: ast.AST, scope: Scope) -> list[ModuleType]:
    """Return the agent's modules that stand for themselves somewhere, and not for one thing in them."""
    nodes = list(ast.walk(tree))
    looked_into = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr != "__dict__"}
    looked_into |= {id(node.args[0]) for node in nodes if _asks_by_name(node) and isinstance(node, ast.Call)}
    known: dict[str, ModuleType] = {}
    for node in nodes:
        if not isinstance(node, ast.Name | ast.Attribute) or id(node) in looked_into:
            continue
        module = resolved(node, scope)
        if isinstance(module, ModuleType) and is_own_module(module.__name__):
            known.setdefault(module.__name__, module)
    return list(known.values())


def _asks_by_name(node: ast.AST) -> bool:
    """Whether one thing is asked of something, by a name that is written there."""
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in _BY_NAME
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    )
