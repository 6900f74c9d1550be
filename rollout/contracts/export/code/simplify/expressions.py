"""Expressions that mean the same, written the same."""

from __future__ import annotations

import ast
import copy
import inspect
import typing
from typing import TypeGuard

from rollout.contracts.export.code.names.literals import literal_of, literal_within
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.resolving import is_builtin, place_of, resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.purity import acts, called_name, cannot_fail

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.In: ast.NotIn,
    ast.Is: ast.IsNot,
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
}
_OPPOSITE |= {two: one for one, two in _OPPOSITE.items()}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
}
DIGITS_MAX = 128
"""A number of more binary digits is not written out."""
_NEGATIVE = (ast.Not, ast.NotEq, ast.NotIn, ast.IsNot, ast.GtE, ast.LtE)


def negated(test: ast.expr) -> ast.expr:
    """Return a condition that holds where another one does not; twice negated it is as it was."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.Constant) and isinstance(test.value, bool):
        return ast.Constant(not test.value)
    if isinstance(test, ast.BoolOp):
        other = ast.Or() if isinstance(test.op, ast.And) else ast.And()
        return ast.BoolOp(other, [negated(value) for value in test.values])
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        # An order is turned around only against a number: sets and others have values that are neither.
        is_ordered = isinstance(test.ops[0], ast.Lt | ast.Gt | ast.LtE | ast.GtE)
        if not is_ordered or _is_number(test.comparators[0]):
            return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def is_negative(test: ast.expr) -> bool:
    """Whether a condition is better said the other way round: of both ways exactly one is, or they are the same."""
    here, there = _weight(test), _weight(negated(test))
    return here > there


def _weight(test: ast.expr) -> tuple[int, int, str]:
    negatives = sum(isinstance(node, _NEGATIVE) for node in ast.walk(test))
    return negatives, len(ast.dump(test)), ast.dump(test)


def _is_number(node: ast.expr) -> bool:
    plain = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
    return isinstance(plain, ast.Constant) and isinstance(plain.value, int | float)


class Expressions(ast.NodeTransformer):
    """Writes expressions in one way of several."""

    def __init__(self, scope: Scope) -> None:
        """Rewrite code that is written in a scope."""
        self._scope = scope

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Write a constant whose value is written in the source as that value."""
        at = place_of(node, self._scope) if isinstance(node.ctx, ast.Load) else None
        written = None if at is None else literal_of(*at)
        return node if written is None else self.visit(copy.deepcopy(written))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Write a constant of another module likewise."""
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        at = place_of(node, self._scope)
        is_receiver = isinstance(node.value, ast.Name) and node.value.id == self._scope.receiver
        if at is None and is_receiver:  # a class below may say otherwise
            return self.generic_visit(node)
        written = literal_within(resolved(node.value, self._scope), node.attr) if at is None else literal_of(*at)
        return self.generic_visit(node) if written is None else self.visit(copy.deepcopy(written))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Write a small number that is worked out of numbers as that number."""
        self.generic_visit(node)
        sides = (node.left, node.right)
        if not all(isinstance(side, ast.Constant) and type(side.value) in (int, float) for side in sides):
            return node
        one, two = (side.value for side in sides if isinstance(side, ast.Constant))
        match node.op:
            case ast.Add():
                return ast.Constant(one + two)  # type: ignore[operator]
            case ast.Sub():
                return ast.Constant(one - two)  # type: ignore[operator]
            case ast.Mult():
                return ast.Constant(one * two)  # type: ignore[operator]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Write `dict(a=1)` as a literal, an argument that is named as a plain one, keywords in one order."""
        self.generic_visit(node)
        if is_builtin(node.func, self._scope, "dict") and not node.args and all(one.arg for one in node.keywords):
            return ast.Dict([ast.Constant(one.arg) for one in node.keywords], [one.value for one in node.keywords])
        name = called_name(node)
        if name == "get" and len(node.args) == 2 and _is_none(node.args[1]):
            node.args.pop()
        if name == "cast" and len(node.args) == 2 and resolved(node.func, self._scope) is typing.cast:
            return node.args[1]
        if name == "interrupt":
            node.args = [_in_order(argument) for argument in node.args]
            for keyword in node.keywords:
                keyword.value = _in_order(keyword.value)
        if name == "interrupt" and not node.args and [one.arg for one in node.keywords] == ["value"]:
            node.args, node.keywords = [node.keywords[0].value], []
        is_own = inspect.isfunction(known := resolved(node.func, self._scope)) and is_ours(known)
        if all(one.arg and cannot_fail(one.value) for one in node.keywords) and not is_own:
            node.keywords.sort(key=lambda one: str(one.arg))
        return node

    def visit_Set(self, node: ast.Set) -> ast.AST:
        """Write the members of a set in one order."""
        self.generic_visit(node)
        return ast.Set(_sorted(node.elts)) if not any(map(acts, node.elts)) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Write a formatted text that has nothing to format, but constants, as a plain one."""
        self.generic_visit(node)
        node.values = [_formatted(part) for part in node.values]
        if all(isinstance(part, ast.Constant) for part in node.values):
            return ast.Constant("".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Write `not` where it is needed only."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Compare):
            return negated(node.operand)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """Write `a and (b and c)` without parentheses."""
        self.generic_visit(node)
        flat: list[ast.expr] = []
        for value in node.values:
            is_same = isinstance(value, ast.BoolOp) and type(value.op) is type(node.op)
            flat += value.values if is_same and isinstance(value, ast.BoolOp) else [value]
        node.values = flat
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Write a constant on the right, and what is looked for among constants in one order."""
        self.generic_visit(node)
        if len(node.ops) != 1:
            return node
        other = node.comparators[0]
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            members = other.elts if isinstance(other, ast.List | ast.Tuple | ast.Set) else []
            if members and all(isinstance(part, ast.Constant) for part in members):
                node.comparators = [ast.Tuple(_sorted(members), ast.Load())]
            return node
        if isinstance(node.left, ast.Constant) and not isinstance(other, ast.Constant):
            mirrored = _MIRRORED.get(type(node.ops[0]))
            if mirrored is not None:
                return ast.Compare(other, [mirrored()], [node.left])
        return node


def _in_order(question: ast.expr) -> ast.expr:
    """Return a question with its keys in one order: people are shown them by their names."""
    if not isinstance(question, ast.Dict) or not all(isinstance(key, ast.Constant) for key in question.keys):
        return question
    if sum(map(acts, question.values)) > 1:
        return question
    pairs = sorted(zip(question.keys, question.values, strict=True), key=lambda pair: ast.dump(pair[0] or pair[1]))
    return ast.Dict([key for key, _ in pairs], [value for _, value in pairs])


def _formatted(part: ast.expr) -> ast.expr:
    is_plain = isinstance(part, ast.FormattedValue) and part.conversion == -1 and part.format_spec is None
    if is_plain and isinstance(part, ast.FormattedValue) and _is_short_text(part.value):
        return ast.Constant(format(part.value.value))
    return part


def _is_short_text(value: ast.expr) -> TypeGuard[ast.Constant]:
    """Whether a constant is a text, or a number that Python writes as one without a word."""
    if not isinstance(value, ast.Constant):
        return False
    is_small = isinstance(value.value, int) and value.value.bit_length() <= DIGITS_MAX
    return is_small or isinstance(value.value, str | float)


def _sorted(members: list[ast.expr]) -> list[ast.expr]:
    """Return the members of a set, each once, in one order."""
    known = {ast.dump(part): part for part in members}
    return [known[text] for text in sorted(known)]


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def condition(test: ast.expr) -> ast.expr:
    """Return a condition in one way of several, where only whether it holds counts."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return negated(condition(copy.copy(test.operand)))
    if isinstance(test, ast.BoolOp):
        return ast.BoolOp(test.op, [condition(value) for value in test.values])
    if isinstance(test, ast.IfExp) and isinstance(test.body, ast.Constant) and isinstance(test.orelse, ast.Constant):
        if (bool(test.body.value), bool(test.orelse.value)) == (True, False):
            return condition(test.test)
        if (bool(test.body.value), bool(test.orelse.value)) == (False, True):
            return condition(negated(test.test))
    return test
