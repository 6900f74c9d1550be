"""Values that code goes by, as texts that are the same in every process: no addresses, no order of sets."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import itertools
import operator
import pathlib
import re
import string
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from rollout.contracts.export.code.members import has_members
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import has, probed

DEPTH_MAX = 8
ITEMS_MAX = 50_000
PARTS_MAX = 200_000
"""So many parts of one value, all in all, are told."""

_GETTERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_PLAIN = (
    int, float, complex, str, bytes, type(None), decimal.Decimal, dt.date, dt.time, dt.timedelta,
    dt.tzinfo, uuid.UUID, pathlib.PurePath, range, slice,
)  # fmt: skip


def text_of(value: Any) -> str:
    """Return a value as a text. What is nested deeper, or has more parts, is named by its type alone."""
    return ValueText().of(value)


class ValueText:
    """Makes texts of values.

    Attributes:
        is_whole: whether everything was told so far, and nothing left out.
        classes: of the agent's objects that were told.
        literals: the texts among them, and the names of files.
    """

    def __init__(
        self, is_told: Callable[[Any], bool] = lambda _: True, named: Callable[[Any], str | None] = lambda _: None
    ) -> None:
        """Make texts of what is told; of other plain values only the type.

        Args:
            named: what to write for a function or class instead of its name.
        """
        self._is_told, self._named, self._left = is_told, named, PARTS_MAX
        self.is_whole = True
        self.classes: list[type] = []
        self.literals = set[str]()

    def of(self, value: Any, depth: int = DEPTH_MAX) -> str:
        """Return a value as a text."""
        self._left -= 1
        if isinstance(value, enum.Enum):
            kind = type(value)
            if not is_ours(kind) or type(value.value) not in (str, int) or has_members(kind):
                return f"{path_of(kind)}.{value.name}"
            return f"{kind.__qualname__}.{value.name} {value.value!r}"  # that is all of it, wherever it stands
        if isinstance(value, _PLAIN):
            return self._plain(value)
        if isinstance(value, _GETTERS):
            return repr(value)
        if isinstance(value, re.Pattern):
            return f"pattern({self._plain(value.pattern)}, {value.flags})"
        if depth == 0 or self._left < 0:
            return path_of(type(value))
        if callable(value) and (name := self._named(value)) is not None:
            return name
        if isinstance(value, type) or (callable(value) and has(value, "__qualname__")):
            return path_of(value)
        return self._parts(value, depth - 1)

    def attributes(self, target: Any) -> str:
        """Return an object's own attributes, as a text; what its class is called means nothing."""
        held = vars(target) if has(target, "__dict__") else {}
        return f"object{self.of(dict(sorted(held.items(), key=lambda item: str(item[0]))))}"

    def _plain(self, value: Any) -> str:
        if isinstance(value, str | pathlib.PurePath):
            self.literals.add(value if isinstance(value, str) else value.name)
        if self._is_told(value):
            return f"{type(value).__name__}({value!r})"
        self.is_whole = False
        return type(value).__name__

    def _parts(self, value: Any, depth: int) -> str:
        kind = type(value).__name__
        if isinstance(value, dict | list | tuple | set | frozenset) and len(value) > ITEMS_MAX:
            self.is_whole = False
        if isinstance(value, dict):
            pairs = list(value.items())[:ITEMS_MAX]
            return f"{kind}({', '.join(f'{self.of(key, depth)}: {self.of(part, depth)}' for key, part in pairs)})"
        if isinstance(value, set | frozenset):
            return f"{kind}({', '.join(sorted(self.of(part, depth) for part in _some(value)))})"
        if isinstance(value, list | tuple | collections.deque):
            return f"{kind}({', '.join(self.of(part, depth) for part in _some(value))})"
        if isinstance(value, functools.partial):
            return f"partial({self.of((value.func, value.args, value.keywords), depth)})"
        fields: Iterable[str] = ()
        if dataclasses.is_dataclass(value):
            fields = [field.name for field in dataclasses.fields(value)]
        elif hasattr(type(value), "model_fields"):
            fields = type(value).model_fields
        elif (is_ours(type(value)) or isinstance(value, string.Template)) and has(value, "__dict__"):
            fields = sorted(map(str, vars(value)))
        if is_ours(type(value)):
            self.classes.append(type(value))
        parts = [f"{name}={self.of(probed(value, name), depth)}" for name in fields]
        return f"{path_of(type(value))}({', '.join(parts)})" if parts else path_of(type(value))


def _some(parts: Iterable[Any]) -> list[Any]:
    return list(itertools.islice(parts, ITEMS_MAX))


def attributes_of(value: Any) -> str:
    """Return an object's own attributes, as a text; what its class is called means nothing."""
    return ValueText().attributes(value)


def path_of(target: Any) -> str:
    """Return the module and the name of something, or of its type."""
    return f"{probed(target, '__module__', '')}.{probed(target, '__qualname__', type(target).__qualname__)}"


def held_in(value: Any) -> list[Any]:
    """Return what a container holds, or an object of the agent's."""
    if isinstance(value, dict):
        return list(value.values())[:ITEMS_MAX]
    if isinstance(value, list | tuple | set | frozenset):
        return _some(value)
    is_object = not isinstance(value, type | enum.Enum) and is_ours(type(value)) and has(value, "__dict__")
    return list(vars(value).values()) if is_object else []
