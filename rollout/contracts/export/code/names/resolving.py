"""What an expression stands for, without running it."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from rollout.contracts.export.code.names.ownership import is_own_module
from rollout.contracts.export.code.names.scope import Scope, imported, scope_of

_IMPORTS = frozenset({"importlib.import_module", "import_module", "__import__"})

_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def in_order(tree: ast.AST, above: tuple[ast.AST, ...] = ()) -> Iterator[tuple[Any, tuple[ast.AST, ...]]]:
    """Return calls and names in the order in which they are reached, each with the loops that it is in."""
    inner = (*above, tree) if isinstance(tree, _LOOPS) else above
    for child in ast.iter_child_nodes(tree):
        yield from in_order(child, inner)
    if isinstance(tree, ast.Call) or (isinstance(tree, ast.Name | ast.Attribute) and isinstance(tree.ctx, ast.Load)):
        yield tree, above


def resolved(node: ast.AST, scope: Scope) -> Any:
    """Return what an expression stands for; None where that is only known while it runs.

    Args:
        scope: of what is not marked with one of its own.
    """
    if isinstance(node, ast.Name):
        return scope_of(node, scope).names.get(node.id)
    if isinstance(node, ast.Call):
        return _looked_up(node, scope)
    if isinstance(node, ast.Attribute):
        above = resolved(node.value, scope)
        try:
            return inspect.getattr_static(above, node.attr) if above is None else getattr(above, node.attr, None)
        except BaseException:  # noqa: BLE001  a property of the agent's that fails, or ends the process
            return None
    return None


def is_builtin(node: ast.AST, scope: Scope, *names: str) -> bool:
    """Whether an expression names one of Python's own functions, that nothing else of that name hides."""
    if not isinstance(node, ast.Name) or node.id not in names:
        return False
    here = scope_of(node, scope)
    return node.id not in here.local and node.id not in here.names


def place_of(node: ast.AST, scope: Scope) -> tuple[str, str] | None:
    """Return the module, and the name in it, that a name stands for, also as `module.name`."""
    if isinstance(node, ast.Name):
        here = scope_of(node, scope)
        return (here.module, node.id) if here.is_global(node.id) else None
    if isinstance(node, ast.Attribute):
        owner = resolved(node.value, scope)
        if isinstance(owner, ModuleType) and is_own_module(owner.__name__):
            return owner.__name__, node.attr
    return None


def _looked_up(call: ast.Call, scope: Scope) -> Any:
    """Return what `getattr(owner, "name")`, `import_module("name")` and `super()` give, where it can be told."""
    function = ast.unparse(call.func)
    names = scope_of(call.func, scope).names
    if function == "super" and not call.args:
        return scope_of(call.func, scope).above()
    if function == "getattr" and len(call.args) > 1:
        name = _text(call.args[1], scope)
        return getattr(resolved(call.args[0], scope), name, None) if name else None
    if function in _IMPORTS and call.args and (name := _text(call.args[0], scope)):
        package = str(names.get("__package__") or names.get("__name__", "").rpartition(".")[0])
        absolute = importlib.util.resolve_name(name, package) if name.startswith(".") and package else name
        return sys.modules.get(absolute) or imported(absolute)
    return None


def _text(node: ast.expr, scope: Scope) -> str:
    """Return the text that an expression stands for, where it is written, or is a constant's."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        one, two = _text(node.left, scope), _text(node.right, scope)
        return one + two if one and two else ""
    value = node.value if isinstance(node, ast.Constant) else resolved(node, scope)
    return value if isinstance(value, str) else ""
