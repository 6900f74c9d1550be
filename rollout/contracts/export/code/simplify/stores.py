"""Variables that are set and then not read on a way: what is set is left out."""

from __future__ import annotations

import ast

from rollout.contracts.export.code.simplify.purity import cannot_fail
from rollout.contracts.export.code.simplify.rewriting import assigned


def without_dead_stores(body: list[ast.stmt], kept: set[str]) -> list[ast.stmt]:
    """Return the body of a function without what it sets and reads no more.

    Args:
        kept: names that are read at another time too.
    """
    return _block(body, set(), kept)[0]


def _block(statements: list[ast.stmt], read: set[str], kept: set[str]) -> tuple[list[ast.stmt], set[str]]:
    """Return statements without what nothing reads, and the names that are read from their begin on."""
    block: list[ast.stmt] = []
    for statement in reversed(statements):
        name, value = assigned(statement)
        if isinstance(statement, ast.If):
            body, in_body = _block(statement.body, read, kept)
            orelse, in_orelse = _block(statement.orelse, read, kept)
            read = in_body | in_orelse | _loads(statement.test)
            if body or orelse or not cannot_fail(statement.test):
                block.append(ast.If(statement.test, body or [ast.Pass()], orelse))
            continue
        if name is not None and value is not None:
            if name not in read and name not in kept and cannot_fail(value):
                continue
            read = (read - {name}) | _loads(value)
        elif isinstance(statement, ast.Return | ast.Raise):
            read = _loads(statement)
        else:
            read = read | _loads(statement)
        block.append(statement)
    return block[::-1], read


def _loads(part: ast.AST) -> set[str]:
    """Return the names that are read; one that is added to is read before."""
    grown = {id(node.target) for node in ast.walk(part) if isinstance(node, ast.AugAssign)}
    names = (node for node in ast.walk(part) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Load) or id(node) in grown}
