"""Small changes of a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.simplify.purity import is_clock

BODIES = ("body", "orelse", "finalbody")

Change = Callable[[list[ast.stmt]], list[ast.stmt]]


def change_bodies(statement: ast.stmt, change: Change) -> None:
    """Change, in place, every body of a statement: of branches, loops, functions, handlers and cases."""
    for part in BODIES:
        inner = getattr(statement, part, None)
        if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
            setattr(statement, part, change(inner))
    for other in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        other.body = change(other.body)


def assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    """Return the one variable that a statement assigns, and its value."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
    return None, None


def mentions(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression has one of some names in it."""
    return any(isinstance(inner, ast.Name) and inner.id in names for inner in ast.walk(node))


def without_clocks(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements without variables that nobody reads, and that only say what time it is."""
    block: list[ast.stmt] = []
    for statement in statements:
        name, value = assigned(statement)
        others = [other for other in statements if other is not statement]
        if name is None or value is None or not is_clock(value) or any(mentions(other, {name}) for other in others):
            block.append(statement)
    return block


def assignments(function: ast.AST) -> Iterable[ast.stmt]:
    """Return the assignments in a function, inner ones too."""
    return (node for node in ast.walk(function) if isinstance(node, ast.Assign))


class WrittenOut(ast.NodeTransformer):
    """Writes an expression wherever a variable is read."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self._name, self._value = name, value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        is_use = node.id == self._name and isinstance(node.ctx, ast.Load)
        return copied(self._value) if is_use else node


def after(function: ast.AST, statement: ast.stmt) -> list[ast.stmt]:
    """Return what follows a statement in its block."""
    for node in ast.walk(function):
        for _, block in ast.iter_fields(node):
            if isinstance(block, list) and any(part is statement for part in block):
                return block[block.index(statement) + 1 :]
    return []


def remove(function: ast.AST, gone: ast.stmt) -> None:
    """Take a statement out of a function."""
    for node in ast.walk(function):
        for _, inner in ast.iter_fields(node):
            if isinstance(inner, list) and any(part is gone for part in inner):
                inner[:] = [part for part in inner if part is not gone]


def replace(within: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """Put a part of a statement in place of another one."""
    for node in ast.walk(within):
        for name, inner in ast.iter_fields(node):
            if inner is old:
                setattr(node, name, new)
                return
            if isinstance(inner, list):
                for position, part in enumerate(inner):
                    if part is old:
                        inner[position] = new
                        return
