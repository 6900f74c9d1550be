"""Copies of syntax trees: several times as quick as `copy.deepcopy`, which the export of a large agent waits for."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, TypeVar

Tree = TypeVar("Tree")

NOTHING: Mapping[int, ast.AST] = {}


def copied(tree: Tree, instead: Mapping[int, ast.AST] = NOTHING) -> Tree:
    """Return a copy of a tree, or of a list of trees. What marks its nodes, such as their scope, is shared.

    Args:
        instead: what to put in place of some nodes, by their ids.
    """
    copy: Tree = _copy(tree, instead)
    return copy


def _copy(part: Any, instead: Mapping[int, ast.AST]) -> Any:
    if isinstance(part, ast.AST):
        if instead and id(part) in instead:
            return instead[id(part)]
        copy = part.__class__.__new__(part.__class__)
        for name, value in part.__dict__.items():
            copy.__dict__[name] = _copy(value, instead) if isinstance(value, (ast.AST, list)) else value
        return copy
    if isinstance(part, list):
        return [_copy(inner, instead) for inner in part]
    return part
