"""The functions of the agent's classes: those that Python calls by itself, and those that are called by their names."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from typing import Any

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.hints import classes_within, hints_of

_PLAIN = (property, classmethod, staticmethod, functools.cached_property)
_LOOKING_UP = frozenset({"vars", "dir", "eval", "exec", "__dict__", "getmembers", "methodcaller", "attrgetter"})
_BY_OTHERS = frozenset({"keys", "values", "items", "get", "invoke", "ainvoke", "stream", "dict", "json", "model_dump"})
"""Methods that libraries call of whatever they are handed."""

EVERYTHING = "*"
"""Stands for all names: what is called is only known while it runs."""


def names_in(tree: ast.AST) -> set[str]:
    """Return the names by which a piece of code may reach into objects; `EVERYTHING` where it may be any."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Name) and node.id in _LOOKING_UP:
            names.add(EVERYTHING)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
        elif isinstance(node, ast.MatchClass):
            names |= {*node.kwd_attrs}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            names |= {EVERYTHING} if not all(isinstance(one, ast.Constant) for one in node.args[1:2]) else set()
    return names | ({EVERYTHING} if names & _LOOKING_UP else set())


def is_reached(name: str, names: set[str]) -> bool:
    """Whether a member may be reached by one of some names; a text may have it within."""
    return EVERYTHING in names or name in names or any(name in text for text in names if not text.isidentifier())


def members_of(class_: type) -> Iterator[tuple[str, Any, list[Any]]]:
    """Return what is defined in a class: its name, what it is, and the functions that it is made of."""
    for name, value in vars(class_).items():
        yield name, value, functions_of(value)


def functions_of(value: Any) -> list[Any]:
    """Return the functions that a member of a class is made of: a method, a property, a cached one."""
    named = ("__func__", "fget", "fset", "fdel", "func", "__wrapped__")
    functions = [value, *(getattr(value, name, None) for name in named)]
    return [one for one in functions if inspect.isfunction(one) and is_ours(one)]


def is_called_by_name(class_: type, name: str, value: Any) -> bool:
    """Whether a member does nothing until the agent's own code names it: no library, and not Python, calls it."""
    if name.startswith("__") or name in _BY_OTHERS or not (inspect.isfunction(value) or type(value) in _PLAIN):
        return False
    if inspect.isfunction(value) and hasattr(value, "__wrapped__"):
        return False
    return not any(hasattr(base, name) for base in class_.__mro__ if not is_ours(base))


def is_written(function: Any) -> bool:
    """Whether a function stands in a file; those of dataclasses and pydantic are made."""
    return not function.__code__.co_filename.startswith("<")


def has_members(class_: type) -> bool:
    """Whether a class of the agent's has methods, or properties, that are written: nodes may go by them."""
    return any(
        any(map(is_written, functions)) and not hasattr(value, "decorator_info")
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
