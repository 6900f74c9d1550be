"""Tables that are written in the source: what stands under a key, or which key it takes for what."""

from __future__ import annotations

import ast
from typing import Any

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.definitions import is_literal
from rollout.contracts.export.code.simplify.purity import is_steady

ENTRIES_MAX = 8
"""A table of more entries is looked into as it is."""


def entry(table: ast.expr, key: ast.expr) -> ast.expr | None:
    """Return what a table has under a key, where both are written and nothing in the table acts."""
    entries = _entries(table)
    return entries.get(key.value) if entries is not None and isinstance(key, ast.Constant) else None


def as_choices(table: ast.expr, key: ast.expr, otherwise: ast.expr) -> ast.expr | None:
    """Return `{"a": 1, "b": 2}.get(key, 3)` as `1 if key == "a" else 2 if key == "b" else 3`.

    What is looked for can be hashed: else the table fails, and the choices do not.
    """
    entries = _entries(table)
    if not entries or len(entries) > ENTRIES_MAX or isinstance(key, ast.Constant) or not is_steady(key):
        return None
    if not isinstance(otherwise, ast.Constant) or not all(isinstance(one, str | int) for one in entries):
        return None
    if not all(isinstance(value, ast.Constant) for value in entries.values()):
        return None  # another object each time would be written as one
    choices: ast.expr = otherwise
    for known, value in reversed(entries.items()):
        test = ast.Compare(copied(key), [ast.Eq()], [ast.Constant(known)])
        choices = ast.IfExp(test, copied(value), choices)
    return choices


def _entries(table: ast.expr) -> dict[Any, ast.expr] | None:
    if not isinstance(table, ast.Dict) or not is_literal(table):
        return None
    pairs = zip(table.keys, table.values, strict=True)
    entries = {one.value: value for one, value in pairs if isinstance(one, ast.Constant)}
    return entries if len(entries) == len(table.keys) else None
