"""Constants of which the value is written in the source: the value may as well stand where the constant is used."""

from __future__ import annotations

import ast

from rollout.contracts.export.code.names.changes import changes_of
from rollout.contracts.export.code.names.definitions import definition_of, is_literal


def literal_of(module: str, name: str) -> ast.expr | None:
    """Return what a name of a module is given, once and for all, where that is written there; else None."""
    at, its_name, statements = definition_of(module, name)
    if len(statements) != 1 or changes_of(at, its_name):
        return None
    match statements[0]:
        case (
            ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            return value if is_literal(value) else None
    return None
