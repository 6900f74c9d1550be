"""A helper's call and body, in the form in which they are written where it is called."""

from __future__ import annotations

import ast

from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import Function


def bound(call: ast.Call, function: Function, scope: Scope) -> list[tuple[str, ast.expr]] | None:
    """Return what each parameter stands for, in the order in which it is worked out."""
    if any(isinstance(argument, ast.Starred) for argument in call.args) or not all(one.arg for one in call.keywords):
        return None
    given = list(call.args)
    parameters = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    if scope.receiver and isinstance(call.func, ast.Attribute):
        given.insert(0, call.func.value)
    if len(given) > len(parameters):
        return None
    known = dict(zip(parameters, given, strict=False))
    for keyword in call.keywords:
        if keyword.arg in known or keyword.arg not in (*parameters, *(one.arg for one in function.args.kwonlyargs)):
            return None
        known[str(keyword.arg)] = keyword.value
    defaults = dict(zip(reversed(parameters), reversed(function.args.defaults), strict=False))
    named = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    defaults |= {one.arg: default for one, default in named if default is not None}
    for name in (*parameters, *(one.arg for one in function.args.kwonlyargs)):
        if name in known:
            continue
        if not isinstance(defaults.get(name), ast.Constant):
            return None
        known[name] = defaults[name]
    return list(known.items())


def returns(statements: list[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Return) for statement in statements for node in ast.walk(statement))


def value_of(body: list[ast.stmt], name: str) -> tuple[list[ast.stmt], ast.expr] | None:
    """Return a body as statements, and an expression for what it returns at its end; None where it cannot be so."""
    if (chosen := _as_expression(body)) is not None:
        return [], chosen
    if body and isinstance(body[-1], ast.Return) and not returns(body[:-1]):
        return body[:-1], body[-1].value or ast.Constant(None)
    if not returns(body):
        return body, ast.Constant(None)
    stored = _with_value_at_ends(body, name)
    return None if stored is None else (stored, ast.Name(name, ast.Load()))


def _with_value_at_ends(body: list[ast.stmt], name: str) -> list[ast.stmt] | None:
    """Return a body that keeps under a name what it returns at its ends; None where it returns in its midst."""
    if not body or returns(body[:-1]):
        return None if body else [ast.Assign(targets=[ast.Name(name, ast.Store())], value=ast.Constant(None), lineno=0)]
    last = body[-1]
    if isinstance(last, ast.Return):
        value = last.value or ast.Constant(None)
        return [*body[:-1], ast.Assign(targets=[ast.Name(name, ast.Store())], value=value, lineno=0)]
    if not isinstance(last, ast.If):
        return None if returns([last]) else [*body, *(_with_value_at_ends([], name) or ())]
    ends = [_with_value_at_ends(part, name) for part in (last.body, last.orelse)]
    return None if ends[0] is None or ends[1] is None else [*body[:-1], ast.If(last.test, ends[0], ends[1])]


def _as_expression(body: list[ast.stmt]) -> ast.expr | None:
    """Return a body that only chooses what to return as an expression."""
    if len(body) != 1:
        return None
    only = body[0]
    if isinstance(only, ast.Return):
        return only.value or ast.Constant(None)
    if isinstance(only, ast.If):
        chosen, other = _as_expression(only.body), _as_expression(only.orelse)
        return ast.IfExp(only.test, chosen, other) if chosen is not None and other is not None else None
    return None


def put(statement: ast.stmt, old: ast.AST, new: ast.AST) -> None:
    class Putting(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    Putting().visit(statement)
