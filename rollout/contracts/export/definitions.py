"""Where a name of a module is defined: what code goes by is told from what is written, not from values.

A value may be of this process alone (a clock, an address); what is written is the same on every machine.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

FOLLOWED_MAX = 20
"""So many imports from module to module are followed to where a name is defined."""


def definition_of(module: str, name: str) -> tuple[str, list[ast.stmt]]:
    """Return the module that defines a name, and the statements there that do; none where that is not found."""
    for _ in range(FOLLOWED_MAX):
        statements = _names_of(module).get(name, [])
        imported = next((statement for statement in statements if isinstance(statement, ast.ImportFrom)), None)
        if imported is None:
            return module, statements
        alias = next(alias for alias in imported.names if (alias.asname or alias.name) == name)
        module, name = module_of(imported, module), alias.name
    return module, []


def module_of(imported: ast.ImportFrom, within: str) -> str:
    """Return the module that an import is from; relative ones as seen from `within`."""
    if not imported.level:
        return imported.module or ""
    loaded = sys.modules.get(within)
    package = getattr(loaded, "__package__", None) or within.rpartition(".")[0]
    try:
        return importlib.util.resolve_name("." * imported.level + (imported.module or ""), package)
    except ImportError:
        return imported.module or ""


def functions_of(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function and method that a module's source defines."""
    for node in ast.walk(_tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _tree_of(module: str) -> ast.Module:
    loaded = sys.modules.get(module)
    try:
        return _parsed(inspect.getsource(loaded)) if isinstance(loaded, ModuleType) else _parsed("")
    except (OSError, TypeError, SyntaxError, ValueError):
        return _parsed("")


@functools.lru_cache(maxsize=512)
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _names_of(module: str) -> dict[str, list[ast.stmt]]:
    """Return the statements at the top of a module that give each name its value."""
    return _names_in(_tree_of(module))


@functools.lru_cache(maxsize=512)
def _names_in(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    known: dict[str, list[ast.stmt]] = {}
    for statement in _at_the_top(tree.body):
        for name in _given(statement):
            known.setdefault(name, []).append(statement)
    return known


def _at_the_top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _at_the_top(getattr(statement, part, []))
        for handler in getattr(statement, "handlers", []):
            yield from _at_the_top(handler.body)


def _given(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ImportFrom | ast.Import):
        return [alias.asname or alias.name for alias in statement.names]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        # A table that is filled later: HANDLERS.update(...), TOOLS.append(...).
        function = statement.value.func
        targets = [function.value] if isinstance(function, ast.Attribute) else []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
