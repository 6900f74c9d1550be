"""A function's own source as a syntax tree, without what changes nothing while it runs."""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import CodeType
from typing import Any

from rollout.contracts.export.code.names.copied import copied

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree_of(function: Any) -> Function:
    """Return a function's own source, not that of what it wraps. Raises OSError or SyntaxError where there is none."""
    code = function.__code__
    source = textwrap.dedent(inspect.getsource(code))
    if code.co_name == "<lambda>":
        return _defined(_lambda_in(source, code))
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return node
    message = "no function"
    raise SyntaxError(message)


def _defined(one: ast.Lambda) -> ast.FunctionDef:
    """Return a lambda as it would be defined with a name."""
    body: list[ast.stmt] = [ast.Return(one.body)]
    return ast.FunctionDef(name="function", args=one.args, body=body, decorator_list=[], lineno=0)


def _lambda_in(source: str, code: CodeType) -> ast.Lambda:
    """Return a lambda that stands in the middle of lines: of several the one that was compiled to the same."""
    trees = _parsed_anywhere(source)
    lambdas = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    same = [node for node in lambdas if _compiles_to(node, code)]
    if len({ast.dump(node) for node in same}) > 1:
        message = "several lambdas"
        raise SyntaxError(message)  # which one is meant cannot be told
    if not (same or lambdas):
        message = "no lambda"
        raise SyntaxError(message)
    return (same or lambdas)[0]


def _parsed_anywhere(source: str) -> list[ast.AST]:
    try:
        return [ast.parse(source)]
    except SyntaxError:  # lines out of the middle of an expression
        pass
    trees: list[ast.AST] = []
    start = source.find("lambda")
    while start >= 0:
        for end in range(len(source), start, -1):
            try:
                trees.append(ast.parse(source[start:end], mode="eval"))
                break
            except SyntaxError:
                continue
        start = source.find("lambda", start + 1)
    return trees


def _compiles_to(node: ast.Lambda, code: CodeType) -> bool:
    compiled = compile(ast.fix_missing_locations(ast.Expression(copied(node))), "", "eval")
    inner = [constant for constant in compiled.co_consts if isinstance(constant, CodeType)]
    return (
        bool(inner)
        and (inner[0].co_names, inner[0].co_varnames) == (code.co_names, code.co_varnames)
        and [constant for constant in inner[0].co_consts if not isinstance(constant, CodeType)]
        == [constant for constant in code.co_consts if not isinstance(constant, CodeType)]
    )
