"""Which functions of the agent's may ask people, by their names alone: for calls that cannot be followed."""

from __future__ import annotations

import ast
import functools
from types import ModuleType

from rollout.contracts.export.code.names.definitions import functions_of
from rollout.contracts.export.code.names.ownership import own_modules


def asking_names() -> frozenset[str]:
    """Return the names of functions and methods that ask, or call one that does, in all modules of the agent."""
    return _asking_names(own_modules())


@functools.lru_cache(maxsize=8)
def _asking_names(modules: tuple[ModuleType, ...]) -> frozenset[str]:
    calls: dict[str, set[str]] = {}
    for module in modules:
        for function in functions_of(module.__name__):
            called = calls.setdefault(function.name, set())
            called |= {_name(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    asking, size = {name for name, called in calls.items() if "interrupt" in called}, -1
    while len(asking) != size:
        size = len(asking)
        asking |= {name for name, called in calls.items() if called & asking}
    return frozenset(asking)


def _name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]
