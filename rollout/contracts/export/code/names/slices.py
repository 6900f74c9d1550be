"""The part of a function that makes something: its other statements may do anything, and mean nothing for that.

A backward slice (Weiser, "Program slicing", 1981) by names alone: what is kept may be too much, not too little, except
where something is changed through another name.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_BUILDING = frozenset({"add_node", "add_sequence", "add_edge", "add_conditional_edges"})
"""Methods with which a graph is built, in LangGraph."""

_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@functools.lru_cache(maxsize=4096)
def slice_of(statement: ast.stmt, parts: frozenset[ast.AST], *, leaves: bool = False) -> ast.stmt:
    """Return a function, or a class, without the statements that have nothing to do with some parts of it.

    Any other statement is returned as it is.

    Args:
        leaves: whether what leaves the function before the last of the parts counts too: it decides whether that runs.
    """
    if not isinstance(statement, _INNER):
        return statement
    last = max((getattr(part, "lineno", 0) for part in parts), default=0)
    if leaves:
        parts |= {one for one, _ in _statements(statement) if isinstance(one, _LEAVING) and one.lineno < last}
    needed: set[str] = set()
    kept: set[ast.AST] = set()
    size = -1
    while len(kept) + len(needed) != size:
        size = len(kept) + len(needed)
        for inner, above in _statements(statement):
            if inner not in kept and _counts(inner, parts, needed):
                kept.add(inner)
                holds = parts_of_graph(inner, parts) or [inner]
                for one in (*holds, *above):  # what decides whether it happens
                    needed |= {node.id for node in _own(one) if isinstance(node, ast.Name)}
    return _pruned(statement, kept, parts)


def parts_of_graph(statement: ast.AST, parts: frozenset[ast.AST]) -> list[ast.AST]:
    """Return the parts that a statement puts into a graph, as `graph.add_node("ask", Asker(limit))`; else nothing.

    What else is put into the graph has nothing to do with them.
    """
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr not in _BUILDING:
        return []
    return [node for node in ast.walk(call) if node in parts and node is not call]


def _statements(above: ast.AST, around: tuple[ast.AST, ...] = ()) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Return the statements in a function, also those within loops, branches and inner functions, and what is around.

    What is around are loops and branches, up to the function.
    """
    for part in _BLOCKS:
        for inner in getattr(above, part, ()):
            yield inner, around
            yield from _statements(inner, () if isinstance(inner, _INNER) else (*around, inner))


def _own(statement: ast.AST) -> Iterator[ast.AST]:
    """Return the parts of a statement without the statements in it; of an inner function all."""
    yield statement
    for name, value in ast.iter_fields(statement):
        if name in _BLOCKS and not isinstance(statement, _INNER):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from ast.walk(child)


def _counts(statement: ast.AST, parts: frozenset[ast.AST], needed: set[str]) -> bool:
    """Whether a statement holds one of the parts, or gives a value to a name that is needed, or may change it."""
    if isinstance(statement, _INNER):
        return statement.name in needed
    return any(part in parts for part in _own(statement)) or bool(needed & changed_by(statement))


def changed_by(statement: ast.AST) -> set[str]:
    """Return the names that a statement gives a value, or may change."""
    changed: set[str] = set()
    for node in _own(statement):
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            changed |= {_root(node)}
        elif isinstance(node, ast.alias):
            changed |= {node.asname or node.name.partition(".")[0]}
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        # Called for what it does: to the object that it is a method of, or that it is given.
        call = statement.value
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        changed |= {_root(call.func.value)} if isinstance(call.func, ast.Attribute) else set()
        changed |= {node.id for node in given if isinstance(node, ast.Name)}
    return changed - {""}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _pruned(statement: ast.AST, kept: set[ast.AST], parts: frozenset[ast.AST]) -> ast.stmt:
    """Return a copy with the statements that are kept, and what they are within."""
    fields = dict(ast.iter_fields(statement))
    for part in _BLOCKS:
        if part in fields and isinstance(fields[part], list):
            fields[part] = [
                one
                for inner in fields[part]
                if inner in kept or any(deeper in kept for deeper, _ in _statements(inner))
                for one in _kept(inner, kept, parts)
            ]
    copy = type(statement)(**fields)
    return ast.copy_location(copy, statement)  # type: ignore[return-value]


def _kept(inner: ast.AST, kept: set[ast.AST], parts: frozenset[ast.AST]) -> list[ast.AST]:
    """Return what is left of a statement that is kept, or has some within."""
    if inner not in kept or _has_blocks(inner):
        return [_pruned(inner, kept, parts)]
    of_graph = parts_of_graph(inner, parts)
    return [ast.copy_location(ast.Expr(one), inner) for one in of_graph if isinstance(one, ast.expr)] or [inner]


def _has_blocks(statement: ast.AST) -> bool:
    return any(getattr(statement, part, None) for part in _BLOCKS) and not isinstance(statement, _INNER)
