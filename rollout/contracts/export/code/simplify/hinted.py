"""What the agent's own type hints, and Python's own functions, say of an expression."""

from __future__ import annotations

import ast
import typing
from decimal import Decimal
from typing import Any

from rollout.contracts.export.code.names.resolving import is_builtin
from rollout.contracts.export.code.names.scope import Scope, scope_of

_NUMBERS = (int, float, bool, complex, Decimal)


def is_number(node: ast.expr, scope: Scope) -> bool:
    """Whether an expression is said to be a number: it is none that texts are made of by adding."""
    return hint_of(node, scope) in _NUMBERS


def is_whole_number(node: ast.expr, scope: Scope) -> bool:
    """Whether an expression is a whole number: a length, a count, or what is said to be one."""
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.Call):
        return is_builtin(node.func, scope, "len", "int", "abs") and all(
            is_builtin(node.func, scope, "len", "int") or is_whole_number(one, scope) for one in node.args
        )
    return hint_of(node, scope) is int


def hint_of(node: ast.expr, scope: Scope) -> Any:
    """Return the type that an expression is said to have: of a parameter, or of a field of one; None where none is."""
    if isinstance(node, ast.Name):
        return _hints(scope_of(node, scope).function).get(node.id)
    match node:
        case ast.Attribute(value=owner, attr=name) | ast.Subscript(value=owner, slice=ast.Constant(value=str(name))):
            return _hints(hint_of(owner, scope)).get(name)
    return None


def _hints(target: Any) -> dict[str, Any]:
    """Return the hints of a function, or a class; none where they cannot be told."""
    if target is None:
        return {}
    try:
        return typing.get_type_hints(target)
    except Exception:  # noqa: BLE001  a name that is not there, or code of the agent's
        return {}
