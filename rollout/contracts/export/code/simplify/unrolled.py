"""`any` and `all` over a few members that are written in the source, unrolled."""

from __future__ import annotations

import ast

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.resolving import is_builtin
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.purity import acts
from rollout.contracts.export.code.simplify.rewriting import WrittenOut

MEMBERS_MAX = 8
_CONTAINERS = (ast.List, ast.Tuple, ast.Set)


def unrolled(call: ast.Call, scope: Scope) -> ast.expr | None:
    """Return `any(word in text for word in ("a", "b"))` as `"a" in text or "b" in text`; None for any other call."""
    match call:
        case ast.Call(
            func=function,
            args=[
                ast.GeneratorExp(elt=test, generators=[ast.comprehension(ast.Name(id=name), over, ifs=[], is_async=0)])
            ],
            keywords=[],
        ) if (op := _op_of(function, scope)) is not None and isinstance(over, _CONTAINERS):
            members = over.elts
            is_written = all(isinstance(member, ast.Constant) for member in members)
            if not is_written or not 1 < len(members) <= MEMBERS_MAX or acts(test) or not _is_bool(test):
                return None
            return ast.BoolOp(op, [WrittenOut(name, member).visit(copied(test)) for member in members])
    return None


def _op_of(function: ast.expr, scope: Scope) -> ast.boolop | None:
    if is_builtin(function, scope, "any"):
        return ast.Or()
    return ast.And() if is_builtin(function, scope, "all") else None


def _is_bool(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) or (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))
