"""What a model is only told of: tools that are bound to it, or named, also by a function that does nothing else.

Whoever is told of a tool calls none: the model writes a call, and somebody else carries it out.
"""

from __future__ import annotations

import ast
import inspect
from typing import Any

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.resolving import resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import tree_of

DEPTH_MAX = 3
_TELLING = frozenset({"bind_tools", "bind_functions", "with_structured_output", "render_text_description"})
_TOLD = frozenset({"tools", "functions"})
"""What `bind` hands on to a model."""

_WORDS = frozenset({"name", "description"})


def bound_only(tree: ast.AST, scope: Scope, depth: int = 0) -> set[int]:
    """Return the ids of the parts of a tree that a model is only told of."""
    handed: list[ast.expr] = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        handed += _handed_to_model(call)
        if depth < DEPTH_MAX:
            handed += _handed_on(call, scope, depth)
    handed += named_only(tree)
    return {id(node) for argument in handed for node in ast.walk(argument)}


def named_only(tree: ast.AST) -> list[ast.expr]:
    """Return what is only gone through for what it is called: `{tool.name for tool in TOOLS}`."""
    listed = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp) and len(node.generators) == 1:
            (one,) = node.generators
            inner = [*ast.walk(node.elt), *(part for test in one.ifs for part in ast.walk(test))]
            asked = {id(part.value) for part in inner if isinstance(part, ast.Attribute) and part.attr in _WORDS}
            uses = [part for part in inner if isinstance(part, ast.Name) and part.id == getattr(one.target, "id", None)]
            if uses and all(id(use) in asked for use in uses):
                listed.append(one.iter)
    return listed


def _handed_to_model(call: ast.Call) -> list[ast.expr]:
    if not isinstance(call.func, ast.Attribute):
        return []
    name = call.func.attr
    given = [*call.args] if name in _TELLING else []
    return [*given, *(one.value for one in call.keywords if name in _TELLING or (name == "bind" and one.arg in _TOLD))]


def _handed_on(call: ast.Call, scope: Scope, depth: int) -> list[ast.expr]:
    """Return the arguments of a function, or of a class, of the agent's that only tells a model of them."""
    known = resolved(call.func, scope)
    function = vars(known).get("__init__") if inspect.isclass(known) else known
    if not inspect.isfunction(function) or not is_ours(function):
        return []
    parameters = _told_parameters(function, depth)
    if not parameters:
        return []
    positional = [*inspect.signature(function).parameters][1 if inspect.isclass(known) else 0 :]
    by_place = [value for name, value in zip(positional, call.args, strict=False) if name in parameters]
    starred = any(isinstance(value, ast.Starred) for value in call.args)
    return [*(() if starred else by_place), *(one.value for one in call.keywords if one.arg in parameters)]


def _told_parameters(function: Any, depth: int) -> set[str]:
    """Return the parameters with which a function does nothing but to tell a model of them."""
    try:
        tree = tree_of(function)
    except (OSError, TypeError, SyntaxError, ValueError):
        return set()
    parameters = {one.arg for one in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)}
    if not any(isinstance(node, ast.Call) for node in ast.walk(tree)):
        return set()
    bound = bound_only(tree, Scope.of_function(function, tree), depth + 1)
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in parameters]
    otherwise = {node.id for node in uses if id(node) not in bound}
    return {node.id for node in uses} - otherwise
