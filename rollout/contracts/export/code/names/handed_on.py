"""Names under which lists and tables are handed on: whoever has them may change them, so they are no literals."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from types import ModuleType

from rollout.contracts.export.code.names.definitions import module_tree
from rollout.contracts.export.code.names.ownership import own_modules

_READING = frozenset({"get", "keys", "values", "items", "copy", "index", "count", "join"})
_TAKING = frozenset(
    {
        "len",
        "sorted",
        "list",
        "tuple",
        "set",
        "dict",
        "frozenset",
        "sum",
        "min",
        "max",
        "any",
        "all",
        "enumerate",
        "join",
    }
)
_LOOKING = (
    ast.Compare,
    ast.For,
    ast.comprehension,
    ast.Starred,
    ast.FormattedValue,
    ast.If,
    ast.While,
    ast.UnaryOp,
    ast.Expr,
)


def is_handed_on(name: str) -> bool:
    """Whether something of a name is set into, handed over, or given another name, anywhere in the agent's modules."""
    return name in _handed_on(own_modules())


@functools.lru_cache(maxsize=8)
def _handed_on(modules: tuple[ModuleType, ...]) -> frozenset[str]:
    return frozenset(name for module in modules for name in _in_tree(module_tree(module.__name__)))


def _in_tree(tree: ast.AST) -> Iterator[str]:
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        if not _is_read(node, parents):
            yield node.id if isinstance(node, ast.Name) else node.attr


def _is_read(node: ast.expr, parents: dict[int, ast.AST]) -> bool:
    """Whether what stands for a list or table is only looked into."""
    parent = parents.get(id(node))
    if isinstance(parent, ast.Attribute):
        above = parents.get(id(parent))
        is_called = isinstance(above, ast.Call) and above.func is parent
        return not is_called or parent.attr in _READING
    if isinstance(parent, ast.Subscript):
        return node is not parent.value or isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Call):
        name = getattr(parent.func, "attr", getattr(parent.func, "id", ""))
        return node is parent.func or name in _TAKING
    return isinstance(parent, _LOOKING)
