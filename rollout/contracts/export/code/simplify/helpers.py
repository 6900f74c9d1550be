"""Small functions of the agent's that are called: what they do is written where they are called."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.literals import is_frozen
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import has, probed
from rollout.contracts.export.code.names.resolving import place_of, resolved
from rollout.contracts.export.code.names.scope import OWNER, Scope, scope_of
from rollout.contracts.export.code.names.trees import Function, tree_of
from rollout.contracts.export.code.simplify.bodies import bound, put, returns, value_of
from rollout.contracts.export.code.simplify.inner import scope_within
from rollout.contracts.export.code.simplify.purity import (
    acts,
    called_name,
    evaluated_first,
    in_turn,
    looks_inside,
    only_reads,
)
from rollout.contracts.export.code.simplify.rewriting import change_bodies
from rollout.contracts.export.code.simplify.ways import each_way
from rollout.contracts.export.code.simplify.wrappers import handed_on_to, leave_out_wrappers

DEPTH_MAX = 12
NODES_MAX = 400
"""So many parts of a function are written where it is called; a larger one is read by itself."""
PARTS_MAX = 1200
"""So many are written into one function, all in all."""

_NAMED = (ast.ExceptHandler, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.MatchAs, ast.MatchStar)
_KEPT_APART = (ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom)


@dataclass(frozen=True)
class Simple:
    """A function in its simple form.

    Attributes:
        scope: which knows the variables of what was written into it.
        is_whole: whether nothing was left out for where it is called: it calls itself, or lies too deep.
    """

    tree: Function
    scope: Scope
    is_whole: bool

    @cached_property
    def ways(self) -> Function:
        """The form in which it is compared: all ways through it, each by itself."""
        return each_way(self.tree, self.scope)


Simplify = Callable[[Function, Scope, tuple[Any, ...]], Simple]


class Helpers:
    """Writes the bodies of helpers into the function that calls them.

    Attributes:
        local: the variables that came with them.
        is_cut: whether a helper was left out for where this function is called.
        within: the helpers that are defined in the function itself, by name.
    """

    def __init__(self, scope: Scope, simplify: Simplify, within: tuple[Any, ...], numbers: Iterator[int]) -> None:
        """Write into a function of a scope.

        Args:
            simplify: what is done with a helper before it is written somewhere else.
            within: the functions that this one is written into, itself among them: none is written into itself.
            numbers: of helpers that were written out, so that each has variables of its own.
        """
        self._scope, self._simplify, self._within = scope, simplify, within
        self._numbers, self._number, self._parts = numbers, 0, 0
        self.local: set[str] = set()
        self.is_cut = False
        self.within: dict[str, ast.FunctionDef] = {}

    def write_into(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements with helpers written out."""
        block: list[ast.stmt] = []
        for statement in statements:
            change_bodies(statement, self.write_into)
            block += self._statement(statement)
        return block

    def _statement(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return a statement with the first call in it written out, where that comes before all else that acts."""
        first = evaluated_first(statement)
        if first is None:
            return [statement]
        turns = list(in_turn(first))
        for place, node in enumerate(turns):
            if isinstance(node, ast.Call | ast.Await):
                if isinstance(node, ast.Call) and _is_awaited(first, node):
                    continue
                written = self._written(statement, node, has_looked=any(map(looks_inside, turns[:place])))
                if written is not None:
                    return written
            if acts(node):
                return self._around(statement, turns, node) or [statement]
        return [statement]

    def _around(self, statement: ast.stmt, turns: list[ast.AST], acting: ast.AST) -> list[ast.stmt] | None:
        """Return a statement with a call written out that is handed what acts first: its arguments come before it."""
        for node in turns:
            inner = {id(part) for part in ast.walk(node)}
            if not isinstance(node, ast.Call) or node is acting or id(acting) not in inner:
                continue
            before = [part for part in turns[: turns.index(acting)] if id(part) not in inner]
            written = self._written(statement, node, has_looked=any(map(looks_inside, before)))
            if written is not None:
                return written
        return None

    def _written(self, statement: ast.stmt, node: ast.Call | ast.Await, *, has_looked: bool) -> list[ast.stmt] | None:
        """Return a statement with one call in it written out; None where that cannot be done.

        Args:
            has_looked: whether the statement looks into something before: what the call does may change that.
        """
        call = node.value if isinstance(node, ast.Await) else node
        if not isinstance(call, ast.Call):
            return None
        if isinstance(statement, ast.Expr) and statement.value is node and self._only_tells(call):
            return []
        helper = self._helper(call, is_awaited=isinstance(node, ast.Await))
        if helper is None:
            return None
        function, scope = helper
        given = bound(call, function, scope)
        self._parts += sum(1 for _ in ast.walk(function))
        if given is None or self._parts > PARTS_MAX:
            return None
        self._number = next(self._numbers)
        body = self._renamed(function, scope)
        before: list[ast.stmt] = [
            ast.Assign(targets=[ast.Name(self._fresh(name), ast.Store())], value=value, lineno=0)
            for name, value in given
        ]
        if isinstance(statement, ast.Return) and statement.value is node:
            return [*before, *body, ast.Return(None)]  # where the body ends without one
        if isinstance(statement, ast.Expr) and statement.value is node and not returns(body):
            return [*before, *body]
        value = value_of(body, self._fresh("1"))
        if value is None or (value[0] and has_looked):
            return None
        if not value[0]:
            put(statement, node, value[1])
            return [*before, *self._statement(statement)]
        stored = ast.Name(self._fresh("0"), ast.Store())
        put(statement, node, ast.Name(stored.id, ast.Load()))
        kept = ast.Assign(targets=[stored], value=value[1], lineno=0)
        return [*before, *value[0], kept, *self._statement(statement)]

    def _helper(self, call: ast.Call, *, is_awaited: bool) -> tuple[Function, Scope] | None:
        """Return a function of the agent's that can be written where it is called, simplified."""
        if isinstance(call.func, ast.Name) and (inner := self.within.get(call.func.id)) is not None:
            is_left = not is_awaited and _is_simple(inner) and not _calls(inner, inner.name)
            return (inner, scope_within(inner, self._scope)) if is_left else None
        known = handed_on_to(resolved(call.func, self._scope))
        plain = probed(known, "__func__", known)
        if not inspect.isfunction(plain) or not is_ours(plain) or hasattr(plain, "__wrapped__"):
            return None
        if plain.__name__.startswith("__") or self._is_too_deep(plain):
            return None
        is_bound = inspect.ismethod(known)
        if (is_bound or "." in plain.__qualname__.rpartition("<locals>.")[2]) and not (
            self._is_own_method(call) or self._is_static(call) or self._is_on_known_object(call, known)
        ):
            return None
        try:
            tree = tree_of(plain)
        except (OSError, TypeError, SyntaxError, ValueError):
            return None
        scope = Scope.of_function(known, tree, self._owner_at(call))
        leave_out_wrappers(tree, scope)
        if not _is_simple(tree) or isinstance(tree, ast.AsyncFunctionDef) != is_awaited:
            return None
        simple = self._simplify(tree, scope, (*self._within, plain))
        self.is_cut |= not simple.is_whole
        return (simple.tree, simple.scope) if sum(1 for _ in ast.walk(simple.tree)) <= NODES_MAX else None

    def _is_too_deep(self, plain: Any) -> bool:
        """Whether a helper is being written somewhere already, or lies too deep."""
        is_cut = plain in self._within or len(self._within) > DEPTH_MAX
        self.is_cut |= is_cut
        return is_cut

    def _only_tells(self, call: ast.Call) -> bool:
        """Whether a function of the agent's that is called does nothing, once what tells people is taken away."""
        known = resolved(call.func, self._scope)
        if not inspect.isfunction(known) or not is_ours(known) or has(known, "__wrapped__"):
            return False
        arguments = [*call.args, *call.keywords]
        if not all(map(only_reads, arguments)) or any(isinstance(one, ast.Starred) for one in arguments):
            return False
        try:
            tree = tree_of(known)
        except (OSError, TypeError, SyntaxError, ValueError):
            return False
        if tree.decorator_list or self._is_too_deep(known):
            return False
        simple = self._simplify(tree, Scope.of_function(known, tree), (*self._within, known))
        self.is_cut |= not simple.is_whole
        return not simple.tree.body

    def _is_on_known_object(self, call: ast.Call, known: Any) -> bool:
        """Whether a method is called on an object that a module holds, and that nothing changes."""
        if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name | ast.Attribute):
            return False
        owner = resolved(call.func.value, self._scope)
        is_held = owner is not None and probed(known, "__self__", None) is owner and not inspect.isclass(owner)
        return is_held and place_of(call.func.value, self._scope) is not None and is_frozen(owner)

    def _is_static(self, call: ast.Call) -> bool:
        """Whether what is called is a function that only stands in a class."""
        owner = resolved(call.func.value, self._scope) if isinstance(call.func, ast.Attribute) else None
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        return inspect.isclass(owner) and isinstance(inspect.getattr_static(owner, name, None), staticmethod)

    def _is_own_method(self, call: ast.Call) -> bool:
        """Whether a method is called on the object that the calling method is of."""
        function = call.func
        if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
            return False
        here = scope_of(function.value, self._scope)
        return bool(here.receiver) and function.value.id == here.receiver

    def _owner_at(self, call: ast.Call) -> type | None:
        """Return the class that a method is called on."""
        owner = (
            scope_of(call.func.value, self._scope).names.get(OWNER)
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
            else None
        )
        return owner if isinstance(owner, type) else None

    def _fresh(self, name: str) -> str:
        fresh = f"_h{self._number}_{name}"
        self.local.add(fresh)
        return fresh

    def _renamed(self, function: Function, scope: Scope) -> list[ast.stmt]:
        """Return a helper's body with variables of its own."""
        names = {name: self._fresh(name) for name in scope.local}
        body = copied(function.body)
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id in names:
                    node.id = names[node.id]
                elif isinstance(node, ast.arg) and node.arg in names:
                    node.arg = names[node.arg]
                elif isinstance(node, _NAMED) and node.name in names:
                    node.name = names[node.name]
                elif isinstance(node, ast.MatchMapping) and node.rest in names:
                    node.rest = names[node.rest]
        return body


def _calls(function: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(function))


def _is_awaited(within: ast.AST, call: ast.Call) -> bool:
    return any(isinstance(node, ast.Await) and node.value is call for node in ast.walk(within))


def _is_simple(tree: Function) -> bool:
    """Whether a function does the same where it is called, as far as its form tells."""
    if (
        [one for one in tree.decorator_list if called_name(one) != "staticmethod"]
        or tree.args.vararg
        or tree.args.kwarg
    ):
        return False
    nodes = list(ast.walk(tree))
    if len(nodes) > NODES_MAX or any(isinstance(node, _KEPT_APART) for node in nodes):
        return False
    return not any(isinstance(node, ast.Name) and node.id in ("super", "__class__", "locals") for node in nodes)
