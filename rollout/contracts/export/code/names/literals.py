"""Constants of which the value is written in the source: the value may as well stand where the constant is used."""

from __future__ import annotations

import ast
import sys

from rollout.contracts.export.code.names.changes import changes_of
from rollout.contracts.export.code.names.definitions import definition_of, is_literal

PARTS_MAX = 60
"""A longer table is told by its own statement."""


def literal_of(module: str, name: str) -> ast.expr | None:
    """Return what a name of a module is given, once and for all, where that is written there; else None."""
    at, its_name, statements = definition_of(module, name)
    if len(statements) != 1 or changes_of(at, its_name):
        return None
    match statements[0]:
        case (
            ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            return value if is_literal(value) and _is_short(value) and _still_holds(value, at, its_name) else None
    return None


def _is_short(value: ast.expr) -> bool:
    return all(number < PARTS_MAX for number, _ in enumerate(ast.walk(value)))


def _still_holds(value: ast.expr, module: str, name: str) -> bool:
    """Whether the name stands for what is written: it may have been set in ways that cannot be read."""
    held = getattr(sys.modules.get(module), name, None)
    try:
        return bool(ast.literal_eval(value) == held)
    except Exception:  # noqa: BLE001  the agent's own comparison
        return False
