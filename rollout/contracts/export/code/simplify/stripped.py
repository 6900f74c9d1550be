"""Code without what only tells people something: docstrings, annotations, logging; and without what does nothing."""

from __future__ import annotations

import ast
import builtins
import logging
from typing import Any

from rollout.contracts.export.code.names.definitions import errors_are_read
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.resolving import resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.contexts import only_tells_around
from rollout.contracts.export.code.simplify.purity import called_name, cannot_fail, iterators_in, only_reads, uses_up
from rollout.contracts.export.code.simplify.rewriting import BODIES

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


def tells_only(known: Any) -> bool:
    """Whether something is a logger, a metric or a tracer: what is told by it changes nothing."""
    module = str(getattr(type(known), "__module__", "")).partition(".")[0]
    return isinstance(known, logging.Logger) or known is logging or module in _TELLING


_TELLING = frozenset({"structlog", "loguru", "prometheus_client", "opentelemetry"})
"""Libraries whose objects only tell people something."""


class Stripped(ast.NodeTransformer):
    """Takes away what means nothing; a body of which nothing is left is empty."""

    def __init__(self, scope: Scope) -> None:
        """Strip code that is written in a scope."""
        self._scope = scope
        self._loggers = set[str]()
        self._iterators = set[str]()
        self._tries = 0

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Strip every body of a statement."""
        super().generic_visit(node)
        for part in BODIES:
            inner = getattr(node, part, None)
            if isinstance(inner, list) and (not inner or isinstance(inner[0], ast.stmt)):
                setattr(node, part, self._block(inner))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Take away annotations, and decorators that mean nothing."""
        node.returns = None
        self._loggers |= {
            target.id
            for inner in ast.walk(node)
            if isinstance(inner, ast.Assign) and self._is_logger(inner.value)
            for target in inner.targets
            if isinstance(target, ast.Name)
        }
        self._iterators |= iterators_in(node)
        node.decorator_list = [one for one in node.decorator_list if called_name(one) not in _MARKING]
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]  # noqa: N815  ast's own name

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Keep what a class declares, also where it has no value: its objects are made of that."""
        node.decorator_list += [
            ast.Constant(ast.unparse(part)) for part in node.body if isinstance(part, ast.AnnAssign)
        ]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Take away the annotation."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Write an annotated assignment as a plain one."""
        node.annotation = ast.Constant(None)
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value, lineno=0))

    def visit_Try(self, node: ast.Try) -> ast.AST:
        """Keep imports that may fail."""
        self._tries += 1
        stripped = self.generic_visit(node)
        self._tries -= 1
        return stripped

    visit_TryStar = visit_Try  # type: ignore[assignment]  # noqa: N815  ast's own name

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Take away the words of an error of Python's own."""
        call = node.exc
        if (
            isinstance(call, ast.Call)
            and not errors_are_read()
            and all(only_reads(one) for one in (*call.args, *call.keywords))
        ):
            known = resolved(call.func, self._scope) or getattr(builtins, called_name(call), None)
            if isinstance(known, type) and issubclass(known, Exception) and known.__module__ == "builtins":
                call.args, call.keywords = [], []
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Take away the words of an assertion."""
        if node.msg is not None and only_reads(node.msg):
            node.msg = None
        return self.generic_visit(node)

    def _block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        kept: list[ast.stmt] = []
        for statement in statements:
            if self._does_nothing(statement):
                continue
            if (single := _one_by_one(statement)) is not None:
                kept += single
                continue
            if (isinstance(statement, ast.Try) and _only_tries(statement)) or self._only_measures(statement):
                kept += statement.body  # type: ignore[attr-defined]
            else:
                kept.append(statement)
        return kept

    def _only_measures(self, statement: ast.stmt) -> bool:
        """Whether a `with` only tells that, and how long, its body runs: a span, a timer."""
        if not isinstance(statement, ast.With) or any(item.optional_vars is not None for item in statement.items):
            return False
        calls = [item.context_expr for item in statement.items if isinstance(item.context_expr, ast.Call)]
        return len(calls) == len(statement.items) and all(
            (
                (isinstance(call.func, ast.Attribute) and self._tells(call.func.value))
                or only_tells_around(resolved(call.func, self._scope), Stripped)
            )
            and all(map(only_reads, [*call.args, *call.keywords]))
            for call in calls
        )

    def _does_nothing(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Import | ast.ImportFrom):  # names tell imports where they are used
            names = (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
            return not self._tries and all(self._scope.names.get(name) is not None for name in names)
        if isinstance(statement, ast.Pass):
            return True
        if isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Call | ast.Await):
            return cannot_fail(statement.value)
        if isinstance(statement, ast.If) and not (statement.body or statement.orelse):
            return cannot_fail(statement.test) or self._asks_for_level(statement.test)
        return self._is_logging(statement)

    def _asks_for_level(self, test: ast.expr) -> bool:
        """Whether a condition is whether something would be logged."""
        if not isinstance(test, ast.Call) or called_name(test) != "isEnabledFor" or not only_reads(test):
            return False
        function = test.func
        return isinstance(function, ast.Attribute) and self._tells(function.value)

    def _tells(self, node: ast.expr) -> bool:
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not self._is_logger(node):
            if not all(map(only_reads, [*node.args, *node.keywords])):
                return False
            node = node.func.value  # a metric with labels
        return tells_only(resolved(node, self._scope)) or self._is_logger(node)

    def _is_logging(self, statement: ast.stmt) -> bool:
        """Whether a statement does nothing but tell somebody what is going on, and takes nothing away to tell it."""
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            return False
        function = statement.value.func
        arguments = [*statement.value.args, *statement.value.keywords]
        if not all(only_reads(one) and not uses_up(one, self._iterators) for one in arguments):
            return False
        if isinstance(function, ast.Name):
            return function.id == "print" and resolved(function, self._scope) in (None, print)
        if not isinstance(function, ast.Attribute):
            return False
        return self._tells(function.value)

    def _is_logger(self, node: ast.expr) -> bool:
        """Whether an expression makes a logger, or is a variable named as loggers are."""
        if isinstance(node, ast.Name):
            return node.id in self._loggers
        if not isinstance(node, ast.Call) or called_name(node) not in ("getLogger", "get_logger"):
            return False
        known = resolved(node.func, self._scope)
        return known is None or not is_ours(known)


def _only_tries(statement: ast.Try) -> bool:
    """Whether a `try` does nothing with what fails: it raises it again."""
    again = (handler.body for handler in statement.handlers)
    is_plain = all(len(body) == 1 and isinstance(body[0], ast.Raise) and body[0].exc is None for body in again)
    return is_plain and not (statement.finalbody or statement.orelse)


def _one_by_one(statement: ast.stmt) -> list[ast.stmt] | None:
    """Return `a, b = x, y` as two assignments, where the second value does not look at the first variable."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            looked_at = {node.id for value in values for node in ast.walk(value) if isinstance(node, ast.Name)}
            if len(names) == len(targets) and not names & looked_at:
                pairs = zip(targets, values, strict=True)
                return [ast.Assign(targets=[target], value=value, lineno=0) for target, value in pairs]
    return None
