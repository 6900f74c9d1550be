"""Where else a name of a module gets its value: other modules, and functions, that set it or fill it in."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from rollout.contracts.export.code.names.definitions import module_tree
from rollout.contracts.export.code.names.ownership import is_own_module, own_modules
from rollout.contracts.export.code.names.sites import sites_of
from rollout.contracts.export.code.names.slices import slice_of

Place = tuple[str, str]
"""A module, and a name in it."""

_READING = frozenset({"get", "keys", "values", "items", "copy", "index", "count"})
_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SETTING = frozenset({"setattr", "__setattr__", "__dict__", "vars"})
_CONSTRUCTORS = frozenset({"__init__", "__post_init__", "model_post_init", "__new__"})
_CHANGED = (dict, list, set)


def changes_of(module: str, name: str) -> list[tuple[str, ast.stmt]]:
    """Return the statements, each with its module, that change what a name of a module stands for.

    Of a function that does so only what leads to the change: whom it asks otherwise means nothing for the value.
    Those at the top of the same module are left out: they define it.
    """
    return _changes(own_modules()).get((module, name), [])


@functools.lru_cache(maxsize=4)
def _changes(modules: tuple[ModuleType, ...]) -> dict[Place, list[tuple[str, ast.stmt]]]:
    known: dict[Place, list[tuple[str, ast.stmt]]] = {}
    homes = _homes(modules)
    for module in [one.__name__ for one in modules]:
        for statement in module_tree(module).body:
            changing: dict[Place, set[ast.AST]] = {}
            for place, node in _places_in(module, statement, homes):
                changing.setdefault(place, set()).add(node)
            for place, nodes in changing.items():
                is_definition = place[0] == module and not isinstance(statement, _DEFINING)
                if is_definition:
                    continue
                sites = known.setdefault(place, [])
                sites.append((module, slice_of(statement, frozenset(nodes), leaves=True)))
                sites += _calls_of(module, statement)
    return known


def attributes_set() -> frozenset[str]:
    """Return the names of attributes that the agent's modules set on objects, elsewhere than in their constructors."""
    return _attributes_set(own_modules())


class _Everything(frozenset[str]):
    """Stands for all names: some are worked out."""

    def __contains__(self, name: object) -> bool:
        return True


@functools.lru_cache(maxsize=4)
def _attributes_set(modules: tuple[ModuleType, ...]) -> frozenset[str]:
    names = set[str]()
    for tree in (module_tree(module.__name__) for module in modules):
        own = {id(node) for function in ast.walk(tree) for node in _set_by_constructor(function)}
        for node in ast.walk(tree):
            if _SETTING & {getattr(node, "id", ""), getattr(node, "attr", "")}:
                return _Everything()
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and id(node) not in own:
                names.add(node.attr)
    return frozenset(names)


def _set_by_constructor(function: ast.AST) -> Iterator[ast.Attribute]:
    """Return what a constructor sets on the object that it makes."""
    if not isinstance(function, ast.FunctionDef) or function.name not in _CONSTRUCTORS or not function.args.args:
        return
    receiver = function.args.args[0].arg
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == receiver:
            yield node


def _homes(modules: tuple[ModuleType, ...]) -> dict[int, Place]:
    """Return where each table of a module is first found, by its id."""
    homes: dict[int, Place] = {}
    for module in modules:
        defined = _defined_in(module.__name__)
        for name, value in list(vars(module).items()):
            if isinstance(value, _CHANGED) and name in defined:
                homes.setdefault(id(value), (module.__name__, name))
    return homes


def _defined_in(module: str) -> set[str]:
    """Return the names that the statements at the top of a module give a value."""
    return {
        node.id
        for statement in module_tree(module).body
        if not isinstance(statement, _DEFINING)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _calls_of(module: str, statement: ast.stmt) -> list[tuple[str, ast.stmt]]:
    """Return the statements at the top of modules that call a function: they run when it is imported."""
    function = getattr(sys.modules[module], getattr(statement, "name", ""), None)
    if not inspect.isfunction(function):
        return []
    return [site for site in sites_of(function) if not isinstance(site[1], _DEFINING)]


def _places_in(module: str, statement: ast.stmt, homes: dict[int, Place]) -> Iterator[tuple[Place, ast.AST]]:
    """Return the places that a statement changes, each with what does so."""
    held = vars(sys.modules[module])
    for node in ast.walk(statement):
        for target in _targets(node):
            place = _place_of(target, held, homes)
            if place is not None:
                yield place, node


def _targets(node: ast.AST) -> list[ast.expr]:
    """Return what an expression or statement changes: what is set, or set into, or called to change itself."""
    if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return [node] if isinstance(node, ast.Attribute) else [node.value]
    if isinstance(node, ast.AugAssign):
        return [node.target]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr not in _READING:
        return [node.func.value]
    return []


def _place_of(node: ast.expr, held: dict[str, Any], homes: dict[int, Place]) -> Place | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = held.get(node.value.id)
        if isinstance(owner, ModuleType) and is_own_module(owner.__name__):
            return homes.get(id(getattr(owner, node.attr, None)), (owner.__name__, node.attr))
    if isinstance(node, ast.Name) and isinstance(held.get(node.id), _CHANGED):
        return homes.get(id(held[node.id]))
    return None
