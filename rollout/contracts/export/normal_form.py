"""A function's source in a form in which what means nothing is gone: docstrings, annotations, logging, local names."""

from __future__ import annotations

import ast
import inspect
import logging
from collections.abc import Callable
from typing import Any

Resolve = Callable[[ast.AST], Any]

StandsFor = Callable[[ast.AST, Any], str | ast.AST | None]
"""What to write for a name, and what it is known to be; None to leave the name."""


def normal_form(tree: ast.AST, local: tuple[str, ...], resolve: Resolve, stands_for: StandsFor) -> str:
    """Return a text; two functions with the same text do the same, as far as their own lines go.

    Args:
        local: the names of local variables.
    """
    copied = ast.parse(ast.unparse(tree))
    return ast.dump(_Normal(local, resolve, stands_for).visit(copied))


_MARKING = frozenset(
    {
        "classmethod",
        "staticmethod",
        "property",
        "field_validator",
        "model_validator",
        "field_serializer",
        "model_serializer",
    }
)
"""Decorators that say how a function is used, not what it does."""

_ACTING = (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
_READING = frozenset(
    {
        "len",
        "str",
        "repr",
        "int",
        "float",
        "bool",
        "type",
        "sorted",
        "list",
        "dict",
        "tuple",
        "sum",
        "round",
        "get",
        "join",
        "format",
        "keys",
        "values",
        "items",
        "strip",
        "lower",
        "upper",
        "getLogger",
        "get_logger",
    }
)


def tells_only(known: Any) -> bool:
    """Whether something is a logger: what is told by it changes nothing."""
    module = str(getattr(type(known), "__module__", "")).partition(".")[0]
    return isinstance(known, logging.Logger) or known is logging or module in ("structlog", "loguru")


def is_logging(statement: ast.stmt, resolve: Resolve) -> bool:
    """Whether a statement does nothing but tell somebody what is going on, and takes nothing away to tell it."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    function = statement.value.func
    inner = [node for node in ast.walk(statement.value) if isinstance(node, _ACTING) and node is not statement.value]
    if not all(isinstance(node, ast.Call) and _name_of(node) in _READING for node in inner):
        return False
    if isinstance(function, ast.Name):
        return function.id == "print" and resolve(function) in (None, print)
    if not isinstance(function, ast.Attribute):
        return False
    return tells_only(resolve(function.value)) or (
        isinstance(function.value, ast.Call) and _name_of(function.value) in ("getLogger", "get_logger")
    )


def _name_of(node: ast.AST) -> str:
    """Return the last part of what is called, or named."""
    plain = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(plain).rpartition(".")[2]


def _module_of(known: Any) -> str:
    return str(getattr(known, "__module__", None) or "")


class _Normal(ast.NodeTransformer):
    def __init__(self, local: tuple[str, ...], resolve: Resolve, stands_for: StandsFor) -> None:
        self._local, self._resolve, self._stands_for = set(local), resolve, stands_for
        self._numbers: dict[str, str] = {}

    def _number(self, name: str) -> str:
        return self._numbers.setdefault(name, f"_{len(self._numbers)}")

    def _body(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        kept = [
            statement
            for statement in statements
            if not is_logging(statement, self._resolve)
            and not isinstance(statement, ast.Import | ast.ImportFrom)  # names tell it where they are used
            and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        ]
        return kept or [ast.Pass()]

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for part in ("body", "orelse", "finalbody"):
            inner = getattr(node, part, None)
            if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                setattr(node, part, self._body(inner))
        return super().generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.decorator_list = [one for one in node.decorator_list if _name_of(one) not in _MARKING]
        node.name = self._number(node.name) if node.name in self._local else "function"
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]  # noqa: N815  ast's own name

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        if node.arg in self._local:
            node.arg = self._number(node.arg)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value, lineno=0))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._local:
            return ast.Name(self._number(node.id), node.ctx)
        return self._written(node) or node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._written(node) or self.generic_visit(node)

    def _written(self, node: ast.Name | ast.Attribute) -> ast.AST | None:
        """Return what is written for a name that stands for something known; None to leave it."""
        if not isinstance(node.ctx, ast.Load):
            return None
        known = self._resolve(node)
        text = self._stands_for(node, known)
        if text is None and inspect.isroutine(known) and _module_of(known) and not inspect.ismethod(known):
            text = f"{_module_of(known)}.{getattr(known, '__qualname__', '')}"  # however it was imported
        return ast.Constant(text) if isinstance(text, str) else text
