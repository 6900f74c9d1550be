"""Wrappers that only hand on what they are called with, and tell somebody: what they wrap stands for them."""

from __future__ import annotations

import ast
import functools
import inspect
from typing import Any

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.resolving import resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import Function, tree_of
from rollout.contracts.export.code.simplify.purity import called_name
from rollout.contracts.export.code.simplify.rewriting import without_clocks
from rollout.contracts.export.code.simplify.stripped import Stripped

DEPTH_MAX = 10


def handed_on_to(target: Any) -> Any:
    """Return what a wrapper hands everything on to; anything else as it is. That of a method is a method."""
    if inspect.ismethod(target) and inspect.isfunction(inner := handed_on_to(target.__func__)):
        return target if inner is target.__func__ else inner.__get__(target.__self__)
    for _ in range(DEPTH_MAX):
        if not inspect.isfunction(target) or not target.__closure__ or not is_ours(target):
            return target
        inner = _wrapped(target)
        if inner is None:
            return target
        target = inner
    return target


@functools.lru_cache(maxsize=2048)
def _wrapped(wrapper: Any) -> Any:
    """Return the function that a wrapper calls with all that it is given, and no more; None where it does more."""
    try:
        tree = tree_of(wrapper)
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    scope = Scope.of_function(wrapper, tree)
    scope.mark(tree)
    call = _handing_on(tree, scope)
    known = None if call is None or call.func.id in scope.local else resolved(call.func, scope)
    if not inspect.isfunction(known) or not is_ours(known) or not _is_awaited_as(known, call, tree):
        return None
    takes_any = tree.args.vararg is not None and tree.args.kwarg is not None
    return known if takes_any or known.__code__.co_argcount == len(tree.args.args) else None


def passes_on(function: Any) -> bool:
    """Whether a function hands its request on to its handler as it is, and returns what comes of it, and no more."""
    plain = function.__func__ if inspect.ismethod(function) else function
    if not inspect.isfunction(plain) or not is_ours(plain):
        return False
    try:
        tree = tree_of(plain)
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    scope = Scope.of_function(plain, tree)
    scope.mark(tree)
    Stripped(scope).visit(tree)
    match [one.arg for one in tree.args.args][-2:], without_clocks(tree.body):
        case [request, handler], [ast.Return(value=ast.expr() as value)]:
            call = value.value if isinstance(value, ast.Await) else value
            return ast.unparse(call) == f"{handler}({request})"
    return False


def leave_out_wrappers(tree: Function, scope: Scope) -> None:
    """Take away decorators of the agent's that only wrap a function in what hands everything on to it."""
    tree.decorator_list = [one for one in tree.decorator_list if not _is_wrapping(one, scope)]


def _is_wrapping(decorator: ast.expr, scope: Scope) -> bool:
    is_made = isinstance(decorator, ast.Call)  # by its arguments: `@logged("approve")`
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return _only_wraps(resolved(function, scope), is_made)


@functools.lru_cache(maxsize=2048)
def _only_wraps(decorator: Any, is_made: bool) -> bool:
    """Whether a decorator only wraps; or what makes one."""
    if not inspect.isfunction(decorator) or not is_ours(decorator):
        return False
    try:
        tree = tree_of(decorator)
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    scope = Scope.of_function(decorator, tree)
    scope.mark(tree)
    Stripped(scope).visit(tree)
    inner = _returned_function(tree)
    if is_made and inner is not None:
        return not inner.decorator_list and _wraps(inner, scope)
    return not is_made and _wraps(tree, scope)


def _wraps(tree: Function, scope: Scope) -> bool:
    """Whether a function returns a wrapper of its one argument that hands everything on."""
    inner = _returned_function(tree)
    if inner is None or len(tree.args.args) != 1 or any(called_name(one) != "wraps" for one in inner.decorator_list):
        return False
    call = _handing_on(inner, scope)
    return call is not None and call.func.id == tree.args.args[0].arg


def _returned_function(tree: Function) -> Function | None:
    """Return the function that another one defines and returns, and does nothing else."""
    match tree.body:
        case [
            ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) as inner,
            ast.Return(value=ast.Name(id=given)),
        ] if name == given:
            return inner
    return None


class _HandingOn(ast.Call):
    func: ast.Name


def _handing_on(tree: Function, scope: Scope) -> _HandingOn | None:
    """Return the call in which a function hands on all that it is given, and no more; None where it does more."""
    if tree.args.posonlyargs or tree.args.kwonlyargs or tree.args.defaults:
        return None
    Stripped(scope).visit(tree)
    match without_clocks(tree.body):
        case [ast.Return(value=ast.expr() as value)]:
            pass
        case [ast.Assign(targets=[ast.Name(id=name)], value=value), ast.Return(value=ast.Name(id=given))] if (
            name == given
        ):
            pass
        case _:
            return None
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    return call if _given(call) == _taken(tree) else None  # type: ignore[return-value]


def _taken(tree: Function) -> list[str]:
    """Return what a function takes, in order, as it would be handed on."""
    every = [f"*{tree.args.vararg.arg}"] if tree.args.vararg is not None else []
    named = [f"**{tree.args.kwarg.arg}"] if tree.args.kwarg is not None else []
    return [*(one.arg for one in tree.args.args), *every, *named]


def _given(call: ast.Call) -> list[str]:
    """Return what is handed on, by the names of the variables."""
    named = [f"**{ast.unparse(keyword.value)}" if keyword.arg is None else "?" for keyword in call.keywords]
    return [*map(ast.unparse, call.args), *named]


def _is_awaited_as(known: Any, call: Any, tree: Function) -> bool:
    """Whether what a wrapper returns is awaited as often as without it."""
    is_awaited = any(isinstance(node, ast.Await) and node.value is call for node in ast.walk(tree))
    if inspect.iscoroutinefunction(known):
        return is_awaited or isinstance(tree, ast.FunctionDef)
    return not is_awaited and isinstance(tree, ast.FunctionDef)
