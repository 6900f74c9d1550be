"""Whether a value is written in the agent's source; if not, it may be of this process, or this machine, alone."""

from __future__ import annotations

import ast
import datetime as dt
import functools
import pathlib
import uuid
from types import ModuleType
from typing import Any

from rollout.contracts.export.code.names.definitions import module_tree
from rollout.contracts.export.code.names.ownership import own_modules


def is_written(value: Any) -> bool:
    """Whether a plain value stands in the source of one of the agent's modules, or is the same everywhere."""
    if isinstance(value, bool | None.__class__ | range | slice):
        return True
    if isinstance(value, pathlib.PurePath | uuid.UUID):
        return str(value) in _literals()
    if isinstance(value, dt.datetime):
        return {value.year, value.month, value.day, value.hour, value.minute, value.second} <= {*_literals(), 0}
    if isinstance(value, dt.date):
        return {value.year, value.month, value.day} <= _literals()
    if isinstance(value, int | float):
        return value == 0 or value in _literals() or -value in _literals()
    if isinstance(value, str | bytes):
        return not value or value in _literals()
    return True  # what is left is built of numbers that are written somewhere: durations, decimals


def _literals() -> frozenset[Any]:
    return _literals_of(own_modules())


@functools.lru_cache(maxsize=8)
def _literals_of(modules: tuple[ModuleType, ...]) -> frozenset[Any]:
    return frozenset(
        node.value
        for module in modules
        for node in ast.walk(module_tree(module.__name__))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes | int | float)
    )
