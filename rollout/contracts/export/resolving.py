"""What names stand for in a function, without running it."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.definitions import module_of

_FLOW = (
    ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp,
)  # fmt: skip


def tree_of(function: Any) -> ast.AST:
    """Return a function's own source, not that of what it wraps. Raises OSError or SyntaxError where there is none."""
    source = textwrap.dedent(inspect.getsource(function.__code__))
    try:
        return _without_annotations(ast.parse(source))
    except SyntaxError:  # a lambda in the middle of an expression
        start = source.index("lambda")
        for end in range(len(source), start, -1):
            try:
                return ast.parse(source[start:end], mode="eval")
            except SyntaxError:
                continue
        raise


def _without_annotations(tree: ast.AST) -> ast.AST:
    """What a value is said to be changes nothing while it runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return tree


def in_order(tree: ast.AST, above: tuple[ast.AST, ...] = ()) -> Iterator[tuple[Any, tuple[ast.AST, ...]]]:
    """Return calls and names in the order in which they are reached: arguments before their call."""
    inner = (*above, tree) if isinstance(tree, _FLOW) else above
    for child in ast.iter_child_nodes(tree):
        yield from in_order(child, inner)
    if isinstance(tree, ast.Call) or (isinstance(tree, ast.Name | ast.Attribute) and isinstance(tree.ctx, ast.Load)):
        yield tree, above


def names_in(function: Any, tree: ast.AST) -> dict[str, Any]:
    """Return what names stand for in a function: of its module, around it, itself, and what it imports."""
    plain = getattr(function, "__func__", function)
    known = dict(getattr(plain, "__globals__", {}))
    for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=False):
        try:
            known[name] = cell.cell_contents
        except ValueError:
            continue
    if inspect.ismethod(function) and plain.__code__.co_varnames:
        known[plain.__code__.co_varnames[0]] = function.__self__
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            name = module_of(node, str(known.get("__name__", "")))
            module = sys.modules.get(name) or _imported(name)
            known |= {alias.asname or alias.name: getattr(module, alias.name, None) for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                _imported(alias.name)
                known[alias.asname or top] = sys.modules.get(top)
    return known


def imported_in(tree: ast.AST) -> frozenset[str]:
    """Return the names that a function imports itself."""
    return frozenset(
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001  whatever the agent's module does when it is imported
        return None


def resolved(node: ast.AST, names: dict[str, Any]) -> Any:
    """Return what an expression stands for; None where that is only known while it runs."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Call):
        return _looked_up(node, names)
    if isinstance(node, ast.Attribute):
        above = resolved(node.value, names)
        try:
            return inspect.getattr_static(above, node.attr) if above is None else getattr(above, node.attr, None)
        except Exception:  # noqa: BLE001  a property of the agent's that fails
            return None
    return None


def _looked_up(call: ast.Call, names: dict[str, Any]) -> Any:
    """Return what `getattr(owner, "name")` and `importlib.import_module("name")` give, where the name is written."""
    literals = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    function = ast.unparse(call.func)
    if function == "getattr" and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
        return getattr(resolved(call.args[0], names), str(call.args[1].value), None)
    if function in ("importlib.import_module", "import_module") and len(literals) == 1:
        return sys.modules.get(str(literals[0])) or _imported(str(literals[0]))
    return None
