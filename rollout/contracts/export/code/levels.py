"""Levels of logging, where code goes by them: who sets them decides what it does."""

from __future__ import annotations

import ast
import functools
from types import ModuleType

from rollout.contracts.export.code.names.definitions import module_tree
from rollout.contracts.export.code.names.ownership import own_modules
from rollout.contracts.export.code.simplify.purity import called_name

_READING = frozenset({"isEnabledFor", "getEffectiveLevel"})
_SETTING = frozenset({"setLevel", "basicConfig", "dictConfig", "fileConfig", "disable", "addLevelName"})


def texts_of_levels(tree: ast.AST) -> list[str]:
    """Return what sets levels in the agent's modules, where a piece of code asks for one."""
    asks = any(isinstance(node, ast.Call) and called_name(node) in _READING for node in ast.walk(tree))
    return list(_settings(own_modules())) if asks else []


@functools.lru_cache(maxsize=8)
def _settings(modules: tuple[ModuleType, ...]) -> tuple[str, ...]:
    nodes = (node for module in modules for node in ast.walk(module_tree(module.__name__)))
    return tuple(
        sorted(ast.dump(node) for node in nodes if isinstance(node, ast.Call) and called_name(node) in _SETTING)
    )
