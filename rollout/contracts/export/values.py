"""Values that code goes by, as texts that are the same in every process: no addresses, no order of sets."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import functools
import itertools
import pathlib
import re
import uuid
from collections.abc import Iterable
from typing import Any

DEPTH_MAX = 8
ITEMS_MAX = 500
PARTS_MAX = 5000
"""So many parts of one value, all in all, are told."""

_WRITTEN = (
    int, float, complex, str, bytes, type(None), decimal.Decimal, dt.date, dt.time, dt.timedelta,
    dt.tzinfo, uuid.UUID, pathlib.PurePath, range, slice,
)  # fmt: skip


def text_of(value: Any, depth: int = DEPTH_MAX) -> str:
    """Return a value as a text. What is nested deeper, or has more parts, is named by its type alone."""
    return _text_of(value, depth, [PARTS_MAX])


def _text_of(value: Any, depth: int, left: list[int]) -> str:
    left[0] -= 1
    if isinstance(value, enum.Enum):
        return f"{path_of(type(value))}.{value.name}"
    if isinstance(value, _WRITTEN):
        return f"{type(value).__name__}({value!r})"
    if isinstance(value, re.Pattern):
        return f"pattern({value.pattern!r}, {value.flags})"
    if depth == 0 or left[0] < 0:
        return path_of(type(value))
    if isinstance(value, dict):
        parts = [
            f"{_text_of(key, depth - 1, left)}: {_text_of(part, depth - 1, left)}"
            for key, part in list(value.items())[:ITEMS_MAX]
        ]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}({', '.join(sorted(_text_of(part, depth - 1, left) for part in _some(value)))})"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(_text_of(part, depth - 1, left) for part in _some(value))})"
    if isinstance(value, functools.partial):
        return f"partial({_text_of((value.func, value.args, value.keywords), depth - 1, left)})"
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return path_of(value)
    if dataclasses.is_dataclass(value):
        parts = [
            f"{field.name}={_text_of(getattr(value, field.name, None), depth - 1, left)}"
            for field in dataclasses.fields(value)
        ]
        return f"{path_of(type(value))}({', '.join(parts)})"
    if hasattr(type(value), "model_fields"):
        fields = type(value).model_fields
        parts = [f"{name}={_text_of(getattr(value, name, None), depth - 1, left)}" for name in fields]
        return f"{path_of(type(value))}({', '.join(parts)})"
    return path_of(type(value))


def _some(parts: Iterable[Any]) -> list[Any]:
    return list(itertools.islice(parts, ITEMS_MAX))


def attributes_of(value: Any) -> str:
    """Return an object's own attributes, as a text; what its class is called means nothing."""
    attributes = vars(value) if hasattr(value, "__dict__") else {}
    return f"object{text_of(dict(sorted(attributes.items(), key=lambda item: str(item[0]))))}"


def path_of(target: Any) -> str:
    """Return the module and the name of something, or of its type."""
    return f"{getattr(target, '__module__', '')}.{getattr(target, '__qualname__', type(target).__qualname__)}"
