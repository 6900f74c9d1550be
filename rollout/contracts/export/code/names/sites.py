"""Where something is made: the statements of the agent's modules that name a class, or a function, to call it."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.code.names.definitions import module_tree
from rollout.contracts.export.code.names.ownership import own_modules
from rollout.contracts.export.code.names.probing import probed
from rollout.contracts.export.code.names.resolving import resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.slices import parts_of_graph, slice_of

SITES_MAX = 50


def sites_of(target: Any) -> list[tuple[str, ast.stmt]]:
    """Return the statements that may make objects of a class, or call a function, each with its module.

    Of a function that does so only what leads to the call.
    """
    sites = (site for module in own_modules() for site in _in_module(module.__name__, target))
    return [site for site, _ in zip(sites, range(SITES_MAX), strict=False)]


def around(function: Any) -> Any:
    """Return the function or class in which another one is defined; None where there is none of a name."""
    owner: Any = None
    for step in str(probed(function, "__qualname__", "")).split(".<locals>")[0].split("."):
        owner = probed(function, "__globals__", {}).get(step) if owner is None else getattr(owner, step, None)
    return owner if owner is not function and (inspect.isroutine(owner) or inspect.isclass(owner)) else None


def _in_module(name: str, target: Any) -> Iterator[tuple[str, ast.stmt]]:
    scope = Scope(name, vars(sys.modules[name]))
    for statement in module_tree(name).body:
        if isinstance(statement, ast.ClassDef) and resolved(ast.Name(statement.name), scope) is target:
            continue
        calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call) and _names(node, target, scope)]
        if calls and (_makes_graph(statement, scope) or parts_of_graph(statement, frozenset(calls))):
            yield from ((name, ast.copy_location(ast.Expr(call), statement)) for call in calls)
        elif calls:
            yield name, slice_of(statement, frozenset(calls))


def _makes_graph(statement: ast.stmt, scope: Scope) -> bool:
    """Whether a statement makes a graph with an object, as `graph = Workflow(settings).build()`.

    Its nodes are each read by themselves: what makes the object counts, and not what it then builds.
    """
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    graphs = [resolved(name, scope) for name in statement.targets if isinstance(name, ast.Name)]
    return bool(graphs) and all(hasattr(type(one), "get_subgraphs") for one in graphs)


def _names(node: ast.Call, target: Any, scope: Scope) -> bool:
    known = resolved(node.func, scope)
    if inspect.isclass(target):
        owner = resolved(node.func.value, scope) if isinstance(node.func, ast.Attribute) else known
        return any(inspect.isclass(one) and issubclass(one, target) for one in (known, owner))
    return known is target
