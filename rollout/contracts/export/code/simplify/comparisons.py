"""Conditions that hold for the same, written the same."""

from __future__ import annotations

import ast
import copy
import enum

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.definitions import is_literal
from rollout.contracts.export.code.names.resolving import is_builtin, resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.purity import is_steady

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


class Comparisons(ast.NodeTransformer):
    """Writes comparisons in one way of several."""

    def __init__(self, scope: Scope) -> None:
        """Rewrite code that is written in a scope."""
        self._scope = scope

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """Write `a and (b and c)` without parentheses, and `a == 1 or a == 2` as `a in (1, 2)`."""
        self.generic_visit(node)
        flat: list[ast.expr] = []
        for value in node.values:
            is_same = isinstance(value, ast.BoolOp) and type(value.op) is type(node.op)
            flat += value.values if is_same and isinstance(value, ast.BoolOp) else [value]
        node.values = _of_members(flat, node.op)
        return node if len(node.values) > 1 else node.values[0]

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Write a constant on the right, and what is looked for among constants in one order."""
        self.generic_visit(node)
        if len(node.ops) != 1:
            return self._one_by_one(node)
        other = node.comparators[0]
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            node.left = self._plain(node.left)
            members = [self._plain(member) for member in _members(other)]
            if members and all(isinstance(part, ast.Constant) for part in members):
                node.comparators = [ast.Tuple(in_one_order(members), ast.Load())]
            return node
        if isinstance(node.ops[0], ast.Eq | ast.NotEq) and isinstance(other, ast.Constant) and other.value is None:
            node.ops = [ast.Is() if isinstance(node.ops[0], ast.Eq) else ast.IsNot()]
        if isinstance(node.ops[0], ast.Is | ast.IsNot) and self._is_one_of_a_kind(other):
            node.ops = [ast.Eq() if isinstance(node.ops[0], ast.Is) else ast.NotEq()]
        if isinstance(node.ops[0], ast.Eq | ast.NotEq):
            node.left, other = self._plain(node.left), self._plain(other)
            node.comparators = [other]
        if isinstance(node.left, ast.Constant) and not isinstance(other, ast.Constant):
            mirrored = _MIRRORED.get(type(node.ops[0]))
            if mirrored is not None:
                return ast.Compare(other, [mirrored()], [node.left])
        return node

    def _one_by_one(self, node: ast.Compare) -> ast.expr:
        """Return `1 < n < 9` as two comparisons, where what stands in the midst may be looked at twice."""
        if not all(map(is_steady, node.comparators[:-1])):
            return node
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        tests = [ast.Compare(copy.copy(left), [op], [copy.copy(right)]) for left, op, right in pairs]
        return ast.BoolOp(ast.And(), [self.visit_Compare(test) for test in tests])  # type: ignore[misc]

    def _is_one_of_a_kind(self, node: ast.expr) -> bool:
        """Whether something is a member of an enum that equals itself alone."""
        known = resolved(node, self._scope) if isinstance(node, ast.Attribute) else None
        return isinstance(known, enum.Enum) and type(known).__eq__ is enum.Enum.__eq__

    def _plain(self, node: ast.expr) -> ast.expr:
        """Return a member of an enum that is a text, or a number, as that: it compares as that does."""
        known = resolved(node, self._scope) if isinstance(node, ast.Attribute) else None
        if not isinstance(known, enum.Enum) or not isinstance(known, str | int):
            return node
        kind = type(known)
        is_plain = kind.__eq__ in (str.__eq__, int.__eq__) and kind.__hash__ in (
            str.__hash__,
            int.__hash__,
            enum.Enum.__hash__,
        )
        return ast.Constant(known.value) if is_plain and isinstance(known.value, str | int) else node

    def split(self, call: ast.Call) -> ast.expr:
        """Return `isinstance(a, (B, C))`, or `a.startswith(("b", "c"))`, as two calls; any other one as it is."""
        match call:
            case ast.Call(
                func=ast.Attribute(value=receiver, attr="startswith" | "endswith") as function,
                args=[ast.Tuple(elts=texts)],
                keywords=[],
            ) if texts and is_steady(receiver) and all(isinstance(text, ast.Constant) for text in texts):
                calls = [ast.Call(copied(function), [text], []) for text in texts]
                return ast.BoolOp(ast.Or(), list(calls)) if len(calls) > 1 else calls[0]
            case ast.Call(func=function, args=[ast.Name() as value, ast.Tuple(elts=kinds)], keywords=[]) if kinds:
                if is_builtin(function, self._scope, "isinstance"):
                    calls = [ast.Call(copy.copy(function), [copy.copy(value), kind], []) for kind in kinds]
                    return ast.BoolOp(ast.Or(), list(calls)) if len(calls) > 1 else calls[0]
        return call


def _members(node: ast.expr) -> list[ast.expr]:
    """Return what a list, a tuple or a set has in it, as it is written."""
    if isinstance(node, ast.Call) and node.args and is_literal(node):  # of a frozen set
        node = node.args[0]
    return node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else []


def _of_members(values: list[ast.expr], op: ast.boolop) -> list[ast.expr]:
    """Return conditions in which neighbours that compare one thing with constants are one."""
    kinds = (ast.Eq, ast.In, ast.In()) if isinstance(op, ast.Or) else (ast.NotEq, ast.NotIn, ast.NotIn())
    block: list[ast.expr] = []
    for value in values:
        members = _compared(value, *kinds[:2])
        before = _compared(block[-1], *kinds[:2]) if block else None
        if members is None or before is None or ast.dump(members[0]) != ast.dump(before[0]):
            block.append(value)
            continue
        constants = in_one_order([*before[1], *members[1]])
        block[-1] = ast.Compare(members[0], [kinds[2]], [ast.Tuple(constants, ast.Load())])
    return block


def _compared(
    test: ast.expr, single: type[ast.cmpop], several: type[ast.cmpop]
) -> tuple[ast.expr, list[ast.expr]] | None:
    """Return what a condition looks at, and the constants that it is one of."""
    match test:
        case ast.Compare(left=left, ops=[op], comparators=[ast.Constant() as constant]) if isinstance(op, single):
            members: list[ast.expr] = [constant]
        case ast.Compare(left=left, ops=[op], comparators=[ast.Tuple(elts=members)]) if isinstance(op, several):
            pass
        case _:
            return None
    is_plain = is_steady(left) and all(isinstance(member, ast.Constant) for member in members)
    return (left, members) if is_plain else None


def in_one_order(members: list[ast.expr]) -> list[ast.expr]:
    """Return the members of a set, each once, in one order."""
    known = {ast.dump(part): part for part in members}
    return [known[text] for text in sorted(known)]


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
