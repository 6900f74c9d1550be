"""What is known on a way through a function: which conditions were decided, and what variables stand for."""

from __future__ import annotations

import ast
import copy
import enum
from typing import Any, Self

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.resolving import is_builtin, resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.comparisons import is_negative, negated
from rollout.contracts.export.code.simplify.expressions import Expressions
from rollout.contracts.export.code.simplify.purity import acts, is_steady
from rollout.contracts.export.code.simplify.rewriting import assigned, mentions

_PLAIN_EQUALITY = (enum.Enum.__eq__, str.__eq__, int.__eq__)
_LISTS = (ast.List, ast.ListComp, ast.Tuple, ast.Dict, ast.DictComp, ast.Set, ast.SetComp, ast.JoinedStr)


class Known:
    """What is known at one place of a function."""

    def __init__(self, scope: Scope, captured: set[str], fixed: frozenset[str]) -> None:
        """Begin with nothing.

        Args:
            captured: names that are read at another time too: what they stand for here says nothing of then.
            fixed: names that are never set, and of which nothing is changed.
        """
        self._scope, self._captured, self._fixed = scope, captured, fixed
        self._decided: dict[str, tuple[ast.expr, bool]] = {}
        self._values: dict[str, ast.expr] = {}
        self._lists = set[str]()

    def __copy__(self) -> Self:
        """Return one that learns by itself."""
        one = type(self)(self._scope, self._captured, self._fixed)
        vars(one).update({name: copy.copy(held) for name, held in vars(self).items() if name != "_scope"})
        return one

    def decide(self, test: ast.expr, *, holds: bool) -> None:
        """Learn that a condition was asked, and held or not."""
        if acts(test):
            self._forget_what_may_change()
        elif is_steady(test):
            key, is_turned = _key(test)
            self._decided[key] = (test, holds != is_turned)

    def decided(self, test: ast.expr) -> bool | None:
        """Return whether a condition holds, where that is known."""
        if isinstance(test, ast.Constant):
            return bool(test.value)
        match test:
            case ast.Compare(left=ast.Constant(value=one), ops=[ast.Eq()], comparators=[ast.Constant(value=two)]):
                return bool(one == two)
            case ast.Compare(left=ast.Constant(value=one), ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
                return one is None
            case ast.Compare(left=left, ops=[ast.Is() | ast.Eq() as op], comparators=[right]) if (
                member := self._member(left)
            ) is not None and (other := self._member(right)) is not None:
                return member is other if isinstance(op, ast.Is) else bool(member == other)
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=two)]) if (
                member := self._member(left)
            ) is not None and isinstance(member, str | int):
                return bool(member == two)
        key, is_turned = _key(test)
        held = self._decided.get(key)
        return None if held is None else held[1] != is_turned

    def written_into(self, statement: ast.stmt) -> ast.stmt:
        """Return a statement with what its variables stand for, as far as nothing in it sets them."""
        match statement:
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=added) if name in self._values:
                changed = ast.BinOp(ast.Name(name, ast.Load()), op, added)
                statement = ast.Assign(targets=[statement.target], value=changed, lineno=0)
        _, value = assigned(statement)
        sets = _sets(statement if value is None else value)  # what one variable is set to is worked out before that
        values = {name: value for name, value in self._values.items() if name not in sets}
        writing = _Writing(self._scope, values, self._lists - sets)
        statement = writing.visit(statement)
        return Expressions(self._scope).visit(statement) if writing.is_changed else statement

    def note(self, statement: ast.stmt) -> None:
        """Learn from a statement, and forget what it changes."""
        self.forget(statement)
        name, value = assigned(statement)
        if name is None or value is None or name in self._captured or name not in self._scope.local:
            return
        if isinstance(value, ast.Constant) or self._member(value) is not None:
            self._values[name] = value
        elif isinstance(value, _LISTS):
            self._lists.add(name)

    def forget(self, statement: ast.stmt) -> None:
        """Forget what a statement sets, and what may change since it acts."""
        sets = _sets(statement)
        for name in sets:
            self._values.pop(name, None)
        self._lists -= sets
        self._decided = {key: one for key, one in self._decided.items() if not mentions(one[0], sets)}
        if _changes(statement):
            self._forget_what_may_change()

    def _forget_what_may_change(self) -> None:
        self._decided = {key: one for key, one in self._decided.items() if self._stays(one[0])}

    def _stays(self, test: ast.expr) -> bool:
        """Whether a condition is of variables and constants alone: nothing but setting those changes it."""
        names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        if names <= self._fixed and not any(isinstance(node, ast.Call) for node in ast.walk(test)):
            return True
        match test:
            case ast.Compare(left=ast.Name(), ops=[ast.Is() | ast.IsNot()], comparators=[other]):
                return isinstance(other, ast.Constant) or self._member(other) is not None
            case ast.Compare(left=ast.Name(), ops=[ast.Eq() | ast.NotEq()], comparators=[other]):
                return isinstance(other, ast.Constant) or self._member(other) is not None
            case ast.Compare(left=ast.Name(), ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple(elts=members)]):
                return all(isinstance(member, ast.Constant) for member in members)
        return False

    def _member(self, node: ast.expr) -> enum.Enum | None:
        known = resolved(node, self._scope) if isinstance(node, ast.Attribute) else None
        return known if isinstance(known, enum.Enum) and type(known).__eq__ in _PLAIN_EQUALITY else None


def _key(test: ast.expr) -> tuple[str, bool]:
    """Return a condition's text, and whether it is that of the opposite."""
    is_turned = is_negative(test)
    return ast.dump(negated(test) if is_turned else test), is_turned


def _sets(statement: ast.AST) -> set[str]:
    """Return the variables that a statement sets, in whatever is within it."""
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    texts = (getattr(n, field, None) for n in ast.walk(statement) for field in ("name", "rest"))
    return names | {text for text in texts if isinstance(text, str)}


def _changes(statement: ast.AST) -> bool:
    """Whether a statement may change what is in an object: it acts, or sets a part of one."""
    parts = (node for node in ast.walk(statement) if isinstance(node, ast.Subscript | ast.Attribute))
    kinds = (ast.AugAssign, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)
    is_deep = any(not isinstance(part.ctx, ast.Load) for part in parts)
    return is_deep or acts(statement) or any(isinstance(node, kinds) for node in ast.walk(statement))


class _Writing(ast.NodeTransformer):
    def __init__(self, scope: Scope, values: dict[str, ast.expr], lists: set[str]) -> None:
        self._scope, self._values, self._lists, self.is_changed = scope, values, lists, False

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._values.get(node.id) if isinstance(node.ctx, ast.Load) else None
        self.is_changed |= value is not None
        return node if value is None else copied(value)

    def visit_If(self, node: ast.If) -> Any:
        """Write into the condition alone: the ways come after."""
        node.test = self._asked(self.visit(node.test))
        return node

    def visit_While(self, node: ast.While) -> Any:
        node.test = self._asked(node.test)
        return self.generic_visit(node)

    def _asked(self, test: ast.expr) -> ast.expr:
        """Return `len(names) > 0` of a list as `names`."""
        match test:
            case ast.Compare(
                left=ast.Call(func=function, args=[of]), ops=[op], comparators=[ast.Constant(value=0)]
            ) if is_builtin(function, self._scope, "len"):
                if not isinstance(of, _LISTS) and not (isinstance(of, ast.Name) and of.id in self._lists):
                    return test
                if isinstance(op, ast.Gt | ast.NotEq):
                    return of
                return ast.UnaryOp(ast.Not(), of) if isinstance(op, ast.Eq | ast.LtE) else test
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return ast.UnaryOp(ast.Not(), self._asked(inner))
            case ast.BoolOp():
                return ast.BoolOp(test.op, [self._asked(value) for value in test.values])
        return test
