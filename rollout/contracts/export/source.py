"""What a node asks people, and which tasks it calls, in order: read in its source, and in the functions it calls."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

DEPTH_MAX = 6


def calls_of(function: Callable[..., Any] | None, wanted: Callable[[str, Any], bool]) -> tuple[str, ...] | None:
    """Return the calls in a function that are wanted, as they are written, in order; None where there is no source.

    wanted: told the name that is called and what it stands for. Functions of the same package are looked into.
    """
    if function is None:
        return None
    try:
        return tuple(_calls(inspect.unwrap(function), wanted, frozenset()))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None


def _calls(function: Callable[..., Any], wanted: Callable[[str, Any], bool], seen: frozenset[Any]) -> Iterator[str]:
    if function in seen or len(seen) > DEPTH_MAX:
        return
    names = _names(function)
    for call in _in_order(_tree(function)):
        name = ast.unparse(call.func)
        known = _resolve(name, names)
        if wanted(name, known):
            yield ", ".join(map(ast.unparse, call.args)) if _is_interrupt(name) else ast.unparse(call)
        elif inspect.isfunction(known) and _package(known) == _package(function):
            yield from _calls(known, wanted, seen | {function})


def _is_interrupt(name: str) -> bool:
    return name.rpartition(".")[2] == "interrupt"


def _tree(function: Callable[..., Any]) -> ast.AST:
    source = textwrap.dedent(inspect.getsource(function))
    try:
        return ast.parse(source)
    except SyntaxError:  # a lambda in the middle of an expression
        start = source.index("lambda")
        for end in range(len(source), start, -1):
            try:
                return ast.parse(source[start:end], mode="eval")
            except SyntaxError:
                continue
        raise


def _in_order(tree: ast.AST) -> list[ast.Call]:
    """Return calls in the order in which they are made: arguments before the call itself."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return sorted(found, key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0))


def _names(function: Callable[..., Any]) -> dict[str, Any]:
    known = dict(getattr(function, "__globals__", {}))
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    for name, cell in zip(code.co_freevars if code else (), cells, strict=False):
        try:
            known[name] = cell.cell_contents
        except ValueError:
            continue
    return known


def _resolve(name: str, names: dict[str, Any]) -> Any:
    first, *rest = name.split(".")
    found = names.get(first)
    for each in rest:
        found = getattr(found, each, None)
    return found


def _package(function: Any) -> str:
    return str(getattr(function, "__module__", "")).partition(".")[0]
