"""Variables that only hand on what another one stands for at its end: both have one name."""

from __future__ import annotations

import ast
from collections import Counter

from rollout.contracts.export.code.simplify.rewriting import after, assigned, assignments, mentions, remove

_APART = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ExceptHandler, ast.MatchAs, ast.Global, ast.Nonlocal)


def without_copies(function: ast.FunctionDef | ast.AsyncFunctionDef, local: frozenset[str]) -> None:
    """Leave `plan = _plan` out, in place, where `_plan` is not read after it, and `plan` is set nowhere else."""
    parameters = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    for statement in list(assignments(function)):
        name, value = assigned(statement)
        if name is None or not isinstance(value, ast.Name) or name == value.id:
            continue
        other = value.id
        if not {name, other} <= local - parameters or _is_apart(function, {name, other}):
            continue
        rest = ast.Module(after(function, statement), [])
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name]
        uses = Counter(isinstance(node.ctx, ast.Load) for node in names)
        uses_after = sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(rest))
        if uses[False] != 1 or uses_after != uses[True] or mentions(rest, {other}):
            continue
        remove(function, statement)
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id == other:
                node.id = name


def _is_apart(function: ast.AST, names: set[str]) -> bool:
    """Whether names are read at another time, or stand for what this does not see."""
    inner = [node for node in ast.walk(function) if isinstance(node, _APART) and node is not function]
    shared = {name for node in inner if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    return bool(shared & names) or any(mentions(node, names) for node in inner)
