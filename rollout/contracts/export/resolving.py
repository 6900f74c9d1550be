"""What names stand for in a function, without running it."""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator
from types import CodeType
from typing import Any

from rollout.contracts.export.definitions import module_of

_OWNER = "__owner__"
_IMPORTS = frozenset({"importlib.import_module", "import_module", "__import__"})

_FLOW = (
    ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp,
)  # fmt: skip


def tree_of(function: Any) -> ast.AST:
    """Return a function's own source, not that of what it wraps. Raises OSError or SyntaxError where there is none."""
    source = textwrap.dedent(inspect.getsource(function.__code__))
    if function.__code__.co_name == "<lambda>":
        return _lambda_in(source, function.__code__)
    return _without_annotations(ast.parse(source))


def _lambda_in(source: str, code: CodeType) -> ast.AST:
    """Return a lambda that stands in the middle of lines: of several the one that was compiled to the same."""
    trees = _parsed_anywhere(source)
    lambdas = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    same = [node for node in lambdas if _compiles_to(node, code)]
    if not (same or lambdas):
        raise SyntaxError("no lambda")
    return ast.Expression((same or lambdas)[0])


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
    compiled = compile(ast.fix_missing_locations(ast.Expression(copy.deepcopy(node))), "", "eval")
    inner = [constant for constant in compiled.co_consts if isinstance(constant, CodeType)]
    return (
        bool(inner)
        and (inner[0].co_names, inner[0].co_varnames) == (code.co_names, code.co_varnames)
        and [constant for constant in inner[0].co_consts if not isinstance(constant, CodeType)]
        == [constant for constant in code.co_consts if not isinstance(constant, CodeType)]
    )


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
    owner = _owner_of(plain)
    if inspect.ismethod(function) and plain.__code__.co_varnames:
        known[plain.__code__.co_varnames[0]] = function.__self__
    elif owner is not None and plain.__code__.co_argcount and plain.__code__.co_varnames[0] in ("self", "cls"):
        known[plain.__code__.co_varnames[0]] = owner
    if owner is not None:
        known[_OWNER] = owner
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            name = module_of(node, str(known.get("__name__", "")))
            module = sys.modules.get(name) or _imported(name)
            for alias in node.names:
                held = getattr(module, alias.name, None)
                known[alias.asname or alias.name] = _imported(f"{name}.{alias.name}") if held is None else held
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                _imported(alias.name)
                known[alias.asname or top] = sys.modules.get(top)
    return known


def _owner_of(function: Any) -> Any:
    """Return the class that a function is a method of, where it has a name."""
    owner: Any = None
    for step in str(getattr(function, "__qualname__", "")).split(".")[:-1]:
        owner = getattr(function, "__globals__", {}).get(step) if owner is None else getattr(owner, step, None)
        if not inspect.isclass(owner):
            return None
    return owner


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
    """Return what `getattr(owner, "name")`, `import_module("name")` and `super()` give, where it can be told."""
    function = ast.unparse(call.func)
    if function == "super" and not call.args and inspect.isclass(names.get(_OWNER)):
        return names[_OWNER].__mro__[1]
    if function == "getattr" and len(call.args) > 1:
        name = _text(call.args[1], names)
        return getattr(resolved(call.args[0], names), name, None) if name else None
    if function in _IMPORTS and call.args and (name := _text(call.args[0], names)):
        package = str(names.get("__package__") or names.get("__name__", "").rpartition(".")[0])
        absolute = importlib.util.resolve_name(name, package) if name.startswith(".") and package else name
        return sys.modules.get(absolute) or _imported(absolute)
    return None


def _text(node: ast.expr, names: dict[str, Any]) -> str:
    """Return the text that an expression stands for, where it is written, or is a constant's."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        one, two = _text(node.left, names), _text(node.right, names)
        return one + two if one and two else ""
    value = node.value if isinstance(node, ast.Constant) else resolved(node, names)
    return value if isinstance(value, str) else ""
