"""Whether what a variable stands for may be changed within a function: then it matters when it is looked at."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection

from rollout.contracts.export.code.simplify.purity import called_name, only_reads

_READING_METHODS = frozenset({"get", "keys", "values", "items", "copy", "strip", "lower", "upper", "format", "join"})
_HANDING_OUT = frozenset({"get", "values", "items"})
_COPYING = frozenset({"dict", "list", "tuple", "sorted", "set", "copy", "reversed", "enumerate", "zip", "iter", "next"})
"""What a copy is made of is the same as before."""
_ASKING = frozenset({"interrupt"})
_HOLDING = (
    ast.Assign,
    ast.NamedExpr,
    ast.Dict,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.AugAssign,
    ast.Delete,
    ast.For,
    ast.Return,
    ast.BoolOp,
    ast.IfExp,
    ast.Match,
    ast.Await,
    ast.Yield,
)


Keeps = Callable[[ast.Call, ast.AST], bool]
"""Whether a call leaves what is handed to it, as that argument, as it is."""


def may_change(function: ast.AST, name: str, keeps: Keeps, *, within: bool = False) -> bool:
    """Whether what a name stands for may be changed: it is handed on, or something in it is set.

    Args:
        keeps: tells of a call whether it changes nothing.
        within: whether it counts too that a part of it is handed on, which may be changed inside.
    """
    return name in changed_names(function, {name}, keeps, within=within)


def changed_names(function: ast.AST, names: Collection[str], keeps: Keeps, *, within: bool = False) -> set[str]:
    """Return those of some names of which may be changed what they stand for; see `may_change`."""
    parents = {id(child): node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    changed: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id in names:
            changed.add(node.target.id)  # a list grows in place
        if not isinstance(node, ast.Name) or node.id not in names or node.id in changed:
            continue
        if isinstance(node.ctx, ast.Load) and _may_change_at(node, parents, keeps, within=within):
            changed.add(node.id)
    return changed


def _may_change_at(node: ast.AST, parents: dict[int, ast.AST], keeps: Keeps, *, within: bool) -> bool:
    """Whether what a name stands for may be changed where it is used."""
    parent, is_part = parents.get(id(node)), False
    while parent is not None:
        if isinstance(parent, ast.Subscript | ast.Attribute):
            if node is not parent.value:
                return False
            if not isinstance(parent.ctx, ast.Load):
                return True
            above = parents.get(id(parent))
            if isinstance(above, ast.Call) and above.func is parent and isinstance(parent, ast.Attribute):
                if parent.attr in _HANDING_OUT:
                    node, parent, is_part = above, parents.get(id(above)), True
                    continue
                return parent.attr not in _READING_METHODS
            node, parent, is_part = parent, above, True
            continue
        if isinstance(parent, ast.Call) and node is not parent.func and called_name(parent) in _COPYING:
            node, parent, is_part = parent, parents.get(id(parent)), True
            continue
        if isinstance(parent, ast.Call | ast.keyword | ast.Starred):
            call = parent if isinstance(parent, ast.Call) else parents.get(id(parent))
            reads = isinstance(call, ast.Call) and (
                only_reads(ast.Call(call.func, [], [])) or called_name(call) in _ASKING or keeps(call, node)
            )
            return (within or not is_part) and not reads
        return isinstance(parent, _HOLDING) and (within or not is_part)
    return False
