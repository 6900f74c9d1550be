"""The functions of the agent's classes: those that Python calls by itself, and those that are called by their names."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import has
from rollout.contracts.export.code.reading import SourceReading
from rollout.contracts.export.code.simplify.wrappers import handed_on_to
from rollout.contracts.export.hints import classes_within, hints_of

_PLAIN = (property, classmethod, staticmethod, functools.cached_property)
_LOOKING_UP = frozenset({"vars", "dir", "eval", "exec", "__dict__", "getmembers", "methodcaller", "attrgetter"})
_BY_OTHERS = frozenset({"keys", "values", "items", "get", "invoke", "ainvoke", "stream", "dict", "json", "model_dump"})
"""Methods that libraries call of whatever they are handed."""

EVERYTHING = "*"
"""Stands for all names: what is called is only known while it runs."""


def names_in(tree: ast.AST) -> set[str]:
    """Return the names by which a piece of code may reach into objects; `EVERYTHING` where it may be any."""
    names, labels = set[str](), _labels_in(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Name) and node.id in _LOOKING_UP:
            names.add(EVERYTHING)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in labels:
            names.add(node.value)
        elif isinstance(node, ast.MatchClass):
            names |= {*node.kwd_attrs}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            names |= {EVERYTHING} if not all(isinstance(one, ast.Constant) for one in node.args[1:2]) else set()
    return names | ({EVERYTHING} if names & _LOOKING_UP else set())


def _labels_in(tree: ast.AST) -> set[int]:
    """Return the texts that say where to go, or stand for a key or a value that is compared: none names a member."""
    labels: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Return):
            labels += [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
        elif isinstance(node, ast.Subscript):
            labels.append(node.slice)
        elif isinstance(node, ast.Dict):
            labels += node.keys
        elif isinstance(node, ast.Compare):
            labels += [node.left, *node.comparators]
        elif isinstance(node, ast.keyword) and node.arg == "goto":
            labels.append(node.value)
    return {id(label) for label in labels}


def is_reached(name: str, names: set[str]) -> bool:
    """Whether a member may be reached by one of some names; a text may have it within."""
    return EVERYTHING in names or name in names or any(name in text for text in names if not text.isidentifier())


def members_of(class_: type) -> Iterator[tuple[str, Any, list[Any]]]:
    """Return what is defined in a class: its name, what it is, and the functions that it is made of."""
    for name, value in vars(class_).items():
        member = handed_on_to(value)
        yield name, member, functions_of(member)


def functions_of(value: Any) -> list[Any]:
    """Return the functions that a member of a class is made of: a method, a property, a cached one."""
    named = ("__func__", "fget", "fset", "fdel", "func", "__wrapped__")
    functions = [value, *(getattr(value, name, None) for name in named)]
    return [one for one in functions if inspect.isfunction(one) and is_ours(one)]


def is_called_by_name(class_: type, name: str, value: Any) -> bool:
    """Whether a member does nothing until the agent's own code names it: no library, and not Python, calls it."""
    if name.startswith("__") or name in _BY_OTHERS or not (inspect.isfunction(value) or type(value) in _PLAIN):
        return False
    if inspect.isfunction(value) and has(value, "__wrapped__"):
        return False
    return not any(hasattr(base, name) for base in class_.__mro__ if not is_ours(base))


def is_written(function: Any) -> bool:
    """Whether a function stands in a file; those of dataclasses and pydantic are made."""
    return not function.__code__.co_filename.startswith("<")


def has_members(class_: type) -> bool:
    """Whether a class of the agent's has methods, or properties, that are written: nodes may go by them."""
    return any(
        any(map(is_written, functions)) and not has(value, "decorator_info")
        for base in class_.__mro__
        if is_ours(base)
        for _, value, functions in members_of(base)
    )


def classes_with_members(states: set[Any]) -> list[type]:
    """Return the classes of the agent's that a state is made of, itself among them, and that have members."""
    pending = [state for state in states if inspect.isclass(state)]
    known = set[type]()
    while pending:
        class_ = pending.pop()
        if class_ not in known and is_ours(class_):
            known.add(class_)
            pending += [inner for hint in hints_of(class_).values() for inner in classes_within(hint)]
    return [class_ for class_ in known if has_members(class_)]


class ClassMembers:
    """Reads the members of classes, each once something may call it."""

    def __init__(self, reading: SourceReading, visit: Callable[[Any], None], has_read: Callable[[Any], bool]) -> None:
        """Read into `reading`.

        Args:
            visit: reads a function.
            has_read: whether a function was read.
        """
        self._reading, self._visit, self._has_read = reading, visit, has_read
        self._classes = set[type]()
        self._waiting: list[tuple[str, str, list[Any]]] = []

    def add(self, class_: type) -> None:
        """Take in a class, and the agent's classes that it comes from."""
        for base in class_.__mro__:
            if is_ours(base):
                self.add_own(base)

    def add_own(self, class_: type) -> None:
        """Take in what a class defines itself: what Python, or a library, calls is read at once."""
        if class_ in self._classes:
            return
        self._classes.add(class_)
        for name, value, functions in members_of(class_):
            if not any(map(is_written, functions)):
                continue
            text = f"member {name} {type(value).__name__}"
            if is_called_by_name(class_, name, value):
                self._waiting.append((name, text, functions))
            else:
                self._read(text, functions)

    def read_named(self) -> None:
        """Read the members that what was read so far names; they may name others."""
        while called := [one for one in self._waiting if self._is_named(one[0])]:
            self._waiting = [one for one in self._waiting if one not in called]
            for _, text, functions in called:
                self._read(text, functions)

    def _is_named(self, member: str) -> bool:
        """Whether what was read may reach a member; what cannot be read, and templates in files, may reach any."""
        reading = self._reading
        is_open = reading.is_dynamic or not reading.is_whole or reading.reads_files
        return is_open or is_reached(member, reading.named)

    def _read(self, text: str, functions: list[Any]) -> None:
        self._reading.texts.append(text)
        for function in functions:
            if not self._has_read(function):
                self._visit(function)
