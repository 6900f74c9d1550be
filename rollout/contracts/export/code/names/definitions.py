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
from typing import Any

from rollout.contracts.export.code.names.ownership import own_modules
from rollout.contracts.export.code.names.probing import probed

BUILDING = frozenset({"add_node", "add_edge", "add_sequence", "add_conditional_edges", "set_conditional_entry_point"})
"""How a graph is built: nothing that is handed to it is changed by that."""

FOLLOWED_MAX = 20
"""So many imports from module to module are followed to where a name is defined."""


def definition_of(module: str, name: str, *, is_fixed: bool = False) -> tuple[str, str, list[ast.stmt]]:
    """Return the module that defines a name, the name there, and the statements that do; none where not found.

    Args:
        is_fixed: whether it stands for what cannot be changed by whoever is handed it.
    """
    for _ in range(FOLLOWED_MAX):
        statements = _names_of(module).get(name, [])
        if is_fixed:
            statements = [statement for statement in statements if not isinstance(statement, ast.Expr)]
        imported = next((statement for statement in statements if isinstance(statement, ast.ImportFrom)), None)
        if imported is None or len(statements) > 1:
            return module, name, statements
        alias = next(alias for alias in imported.names if (alias.asname or alias.name) == name)
        module, name = module_of(imported, module), alias.name
    return module, name, []


def name_of(target: Any) -> tuple[str, str] | None:
    """Return the module of the agent's and the name under which an object stands there; None where it has none."""
    for module in own_modules():
        for name, value in list(vars(module).items()):
            if value is target and _names_of(module.__name__).get(name):
                return module.__name__, name
    return None


def is_literal(node: ast.AST) -> bool:
    """Whether an expression is a text or a number, or a list, a set or a table of such."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return all(is_literal(part) for part in node.elts)
    if isinstance(node, ast.Dict):
        return all(part is not None and is_literal(part) for part in (*node.keys, *node.values))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return is_literal(node.operand)
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        is_number = all(isinstance(side, ast.BinOp) or _is_number(side) for side in sides)
        return isinstance(node.op, ast.Add | ast.Sub | ast.Mult) and is_number and all(map(is_literal, sides))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "frozenset":
        return len(node.args) == 1 and not node.keywords and is_literal(node.args[0])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return not node.args and all(one.arg is not None and is_literal(one.value) for one in node.keywords)
    return isinstance(node, ast.Constant)


def value_of(node: ast.AST) -> Any:
    """Return the value of a literal. Raises ValueError, TypeError or SyntaxError where it has none."""
    if isinstance(node, ast.BinOp):
        one, two = value_of(node.left), value_of(node.right)
        return one + two if isinstance(node.op, ast.Add) else one - two if isinstance(node.op, ast.Sub) else one * two
    if isinstance(node, ast.Call) and not node.args:
        return {one.arg: value_of(one.value) for one in node.keywords}
    if isinstance(node, ast.Call):
        return frozenset(value_of(node.args[0]))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        values = [value_of(part) for part in node.elts]
        return values if isinstance(node, ast.List) else tuple(values) if isinstance(node, ast.Tuple) else set(values)
    if isinstance(node, ast.Dict):
        return {value_of(key): value_of(part) for key, part in zip(node.keys, node.values, strict=True) if key}
    return ast.literal_eval(node)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def module_of(imported: ast.ImportFrom, within: str) -> str:
    """Return the module that an import is from; relative ones as seen from `within`."""
    if not imported.level:
        return imported.module or ""
    loaded = sys.modules.get(within)
    package = probed(loaded, "__package__", None) or within.rpartition(".")[0]
    try:
        return importlib.util.resolve_name("." * imported.level + (imported.module or ""), package)
    except ImportError:
        return imported.module or ""


def functions_of(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function and method that a module's source defines."""
    for node in ast.walk(module_tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_rebound(name: str) -> bool:
    """Whether any function of the agent's gives a variable around it another value."""
    return name in _rebound(own_modules())


@functools.lru_cache(maxsize=8)
def _rebound(modules: tuple[ModuleType, ...]) -> frozenset[str]:
    nodes = (node for module in modules for node in ast.walk(module_tree(module.__name__)))
    return frozenset(name for node in nodes if isinstance(node, ast.Nonlocal) for name in node.names)


def is_defined(name: str) -> bool:
    """Whether any function or method of the agent's has a name."""
    return name in _functions_named(own_modules())


@functools.lru_cache(maxsize=8)
def _functions_named(modules: tuple[ModuleType, ...]) -> frozenset[str]:
    return frozenset(function.name for module in modules for function in functions_of(module.__name__))


def errors_are_read() -> bool:
    """Whether code of the agent's gives errors a name where it catches them: then their words may count."""
    return _errors_are_read(own_modules())


@functools.lru_cache(maxsize=8)
def _errors_are_read(modules: tuple[ModuleType, ...]) -> bool:
    nodes = (node for module in modules for node in ast.walk(module_tree(module.__name__)))
    return any(isinstance(node, ast.ExceptHandler) and node.name for node in nodes)


def statements_of(class_: type) -> list[ast.stmt]:
    """Return the assignments in the body of a class."""
    for node in ast.walk(module_tree(class_.__module__)):
        if isinstance(node, ast.ClassDef) and node.name == class_.__name__:
            return [statement for statement in node.body if isinstance(statement, ast.Assign | ast.AnnAssign)]
    return []


def module_tree(module: str) -> ast.Module:
    """Return the source of a module as a tree; an empty one where there is none."""
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
    return _names_in(module_tree(module))


@functools.lru_cache(maxsize=512)
def _names_in(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    known: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in dict.fromkeys(name for inner in _at_the_top([statement]) for name in _given(inner)):
            known.setdefault(name, []).append(statement)
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        for declared in [node for node in ast.walk(function) if isinstance(node, ast.Global)]:
            for name in declared.names:
                known.setdefault(name, []).append(function)
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
        if isinstance(function, ast.Attribute) and function.attr in BUILDING:
            return [node.id for node in ast.walk(function.value) if isinstance(node, ast.Name)]
        targets += [*statement.value.args, *(keyword.value for keyword in statement.value.keywords)]
    elif isinstance(statement, ast.Delete):
        targets = statement.targets
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def is_plain_definition(statements: list[ast.stmt], known: Any) -> bool:
    """Whether a name is given its value in one place, so that this tells all of it; not one that was replaced."""
    if len(statements) != 1 or not isinstance(statements[0], ast.Assign | ast.AnnAssign):
        return False
    value = statements[0].value
    if value is None or not is_literal(value):
        return True
    try:
        return bool(value_of(value) == known)
    except Exception:  # noqa: BLE001  the agent's own comparison
        return False
