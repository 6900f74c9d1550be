"""Code as a text in which names mean nothing: two functions with the same text do the same."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import probed
from rollout.contracts.export.code.names.resolving import resolved
from rollout.contracts.export.code.names.scope import Scope, scope_of
from rollout.contracts.export.code.names.trees import Function

HANDED = frozenset({"config", "writer", "store", "runtime", "previous"})
"""Parameters that LangGraph fills in by their names, whatever the annotation."""

StandsFor = Callable[[ast.AST, Any, Scope], str | None]
"""What to write for a name, what it is known to be, and the scope it is of; None to leave the name."""


def normal_form(tree: ast.AST, scope: Scope, stands_for: StandsFor) -> str:
    """Return a text; two functions with the same text do the same, as far as their own lines go.

    Args:
        scope: of names that are not marked with one of their own.
    """
    return ast.dump(_Normal(scope, stands_for).of(copied(tree)))


def _leave_out_unread(function: Function) -> None:
    """Take away parameters that LangGraph would fill in, and nothing reads: the last ones, and those by name."""
    read = {node.id for part in function.body for node in ast.walk(part) if isinstance(node, ast.Name)}
    arguments = function.args
    while len(arguments.args) > 1 and not arguments.vararg:
        last = arguments.args[-1].arg
        if last in read or last not in HANDED:
            break
        arguments.args.pop()
        if arguments.defaults:
            arguments.defaults.pop()
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    kept = [(one, default) for one, default in pairs if one.arg in read or one.arg not in HANDED]
    arguments.kwonlyargs, arguments.kw_defaults = [one for one, _ in kept], [default for _, default in kept]


def _module_of(known: Any) -> str:
    return str(probed(known, "__module__", None) or "")


def _is_known_by_its_path(known: Any) -> bool:
    """Whether something is a function, or a library's class, that lies in a module."""
    is_class = inspect.isclass(known) and not is_ours(known)
    return bool(_module_of(known)) and (is_class or (inspect.isroutine(known) and not inspect.ismethod(known)))


def _within(tree: ast.AST) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree) if node is not tree)


class _Normal(ast.NodeTransformer):
    def __init__(self, scope: Scope, stands_for: StandsFor) -> None:
        self._scope, self._stands_for = scope, stands_for
        self._numbers: dict[str, str] = {}
        self._keywords = set[str | None]()

    def of(self, tree: ast.AST) -> ast.AST:
        """Return a tree in its normal form."""
        if any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) for node in _within(tree)):
            self._keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        return self.visit(tree)  # type: ignore[no-any-return]

    def _number(self, name: str | None) -> str | None:
        if name is None or name not in self._scope.local:
            return name
        return self._numbers.setdefault(name, f"_{len(self._numbers)}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        first = [*node.args.posonlyargs, *node.args.args][:1]
        if first and first[0].arg == self._scope.receiver:  # it stands for what is known
            del (node.args.posonlyargs or node.args.args)[0]
        if node.name not in self._scope.local:
            _leave_out_unread(node)
        # What the first one is called means nothing; others may be handed over by their names.
        names = ", ".join(one.arg for one in [*node.args.posonlyargs, *node.args.args][1:] + node.args.kwonlyargs)
        node.name = self._number(node.name) or "" if node.name in self._scope.local else f"function({names})"
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]  # noqa: N815  ast's own name

    def visit_arg(self, node: ast.arg) -> ast.AST:
        # Of a function within, parameters may be handed over by their names.
        node.annotation = ast.Constant(node.arg) if node.arg in self._keywords else None
        node.arg = self._number(node.arg) or ""
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = self._number(node.name)
        return self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.AST:
        node.name = self._number(node.name)
        return self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.AST:
        node.name = self._number(node.name)
        return node

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        node.rest = self._number(node.rest)
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value, lineno=0))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Write the two ways to ask the environment as one."""
        function = node.func
        if (
            isinstance(function, ast.Attribute)
            and function.attr == "get"
            and resolved(function.value, self._scope) is os.environ
        ):
            node.func = ast.Constant("os.getenv")
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == self._scope.receiver and isinstance(node.ctx, ast.Load):
            return ast.Constant("the receiver")
        if node.id in self._scope.local:
            return ast.Name(self._number(node.id) or "", node.ctx)
        return self._written(node) or node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._written(node) or self.generic_visit(node)

    def _written(self, node: ast.Name | ast.Attribute) -> ast.AST | None:
        """Return what is written for a name that stands for something known; None to leave it."""
        known = resolved(node, self._scope)
        text = self._stands_for(node, known, self._at(node))
        if text is None and isinstance(node.ctx, ast.Load) and _is_known_by_its_path(known):
            text = f"{_module_of(known)}.{probed(known, '__qualname__', '')}"  # however it was imported
        return None if text is None else ast.Constant(text)

    def _at(self, node: ast.AST) -> Scope:
        while isinstance(node, ast.Attribute):
            node = node.value
        return scope_of(node, self._scope)
