"""Expressions that mean the same, written the same."""

from __future__ import annotations

import ast
import collections
import enum
import inspect
import re
import typing
from typing import Any

from typing_extensions import is_typeddict

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.definitions import is_defined, is_literal
from rollout.contracts.export.code.names.literals import literal_around, literal_of, literal_within
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import probed
from rollout.contracts.export.code.names.resolving import is_builtin, place_of, resolved
from rollout.contracts.export.code.names.scope import Scope, scope_of
from rollout.contracts.export.code.names.written import is_written
from rollout.contracts.export.code.simplify.comparisons import Comparisons, in_one_order, negated
from rollout.contracts.export.code.simplify.purity import acts, called_name, cannot_fail, is_steady
from rollout.contracts.export.code.simplify.tables import as_choices, entry
from rollout.contracts.export.code.simplify.texts import DIGITS_MAX, added, filled_in, formatted, joined
from rollout.contracts.export.code.simplify.unrolled import unrolled


class Expressions(Comparisons, ast.NodeTransformer):
    """Writes expressions in one way of several."""

    def __init__(self, scope: Scope) -> None:
        """Rewrite code that is written in a scope."""
        super().__init__(scope)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Write a constant whose value is written in the source as that value."""
        if not isinstance(node.ctx, ast.Load):
            return node
        at = place_of(node, self._scope)
        written = literal_around(scope_of(node, self._scope), node.id) if at is None else literal_of(*at)
        return node if written is None else self.visit(copied(written))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Write a constant of another module likewise."""
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        if node.attr in ("value", "name") and (member := self._of_member(node)) is not None:
            return member
        at = place_of(node, self._scope)
        is_receiver = isinstance(node.value, ast.Name) and node.value.id == self._scope.receiver
        owner = resolved(node.value, self._scope)
        if at is None and is_receiver and inspect.isclass(owner):  # a class below may say otherwise
            return self.generic_visit(node)
        written = literal_within(owner, node.attr) if at is None else literal_of(*at)
        if written is None and is_receiver and node.attr not in probed(owner, "__dict__", {node.attr}):
            written = literal_within(type(owner), node.attr)
        return self.generic_visit(node) if written is None else self.visit(copied(written))

    def _of_member(self, node: ast.Attribute) -> ast.Constant | None:
        """Return the value, or the name, of an enum's member, where that is a plain one and nothing works it out."""
        member = resolved(node.value, self._scope) if isinstance(node.value, ast.Attribute) else None
        if not isinstance(member, enum.Enum) or not is_ours(type(member)):
            return None
        worked_out = any(node.attr in vars(base) for base in type(member).__mro__ if is_ours(base))
        held = member._value_ if node.attr == "value" else member.name
        return ast.Constant(held) if type(held) in (str, int) and not worked_out else None

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Write a small number that is worked out of numbers as that number, and a text that is put together as one."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Mod) and (text := filled_in(node, self._scope)) is not None:
            return text
        if isinstance(node.op, ast.Add) and (text := added(node, self._scope)) is not None:
            return text
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
        if _is_typed_dict(resolved(node.func, self._scope)) and not node.args and all(one.arg for one in node.keywords):
            return ast.Dict([ast.Constant(one.arg) for one in node.keywords], [one.value for one in node.keywords])
        if (pattern := self._pattern_of(node)) is not None:
            return pattern
        if (conditions := unrolled(node, self._scope)) is not None:
            return self.visit(conditions)  # type: ignore[no-any-return]
        name = called_name(node)
        if name in ("isinstance", "startswith", "endswith"):
            return self.split(node)
        if (
            is_builtin(node.func, self._scope, "any", "all", "sum", "min", "max", "set", "tuple")
            and len(node.args) == 1
        ):
            only = node.args[0]
            if isinstance(only, ast.ListComp) and not acts(only.elt):
                node.args = [ast.GeneratorExp(only.elt, only.generators)]
        if name == "get" and len(node.args) == 2 and _is_none(node.args[1]) and not is_defined("get"):
            node.args.pop()
        if name == "get" and isinstance(node.func, ast.Attribute) and len(node.args) in (1, 2) and not node.keywords:
            written = entry(node.func.value, node.args[0])
            if written is not None and all(map(is_literal, node.args)):
                return written
            otherwise = node.args[1] if len(node.args) == 2 else ast.Constant(None)
            if (choices := as_choices(node.func.value, node.args[0], otherwise)) is not None:
                return choices
        if is_builtin(node.func, self._scope, "int", "float") and len(node.args) == 1 and not node.keywords:
            _read_number(node.args[0])
        if (text := formatted(node, self._scope)) is not None:
            return text
        if name == "cast" and len(node.args) == 2 and resolved(node.func, self._scope) is typing.cast:
            return node.args[1]
        if name == "interrupt":
            node.args = [_in_order(argument) for argument in node.args]
            for keyword in node.keywords:
                keyword.value = _in_order(keyword.value)
        if name == "interrupt" and not node.args and [one.arg for one in node.keywords] == ["value"]:
            node.args, node.keywords = [node.keywords[0].value], []
        known = resolved(node.func, self._scope)
        if all(one.arg and cannot_fail(one.value) for one in node.keywords) and not _takes_in_order(known):
            node.keywords.sort(key=lambda one: str(one.arg))
        return node

    def _pattern_of(self, call: ast.Call) -> ast.Call | None:
        """Return a call of a constant pattern's method as one of `re`, which takes the pattern as it is written."""
        function = call.func
        if not isinstance(function, ast.Attribute) or place_of(function.value, self._scope) is None:
            return None
        pattern = resolved(function.value, self._scope)
        if not isinstance(pattern, re.Pattern) or pattern.flags != re.UNICODE or function.attr not in _OF_PATTERNS:
            return None
        if not is_written(pattern.pattern) or len(call.args) != 1 or call.keywords:
            return None
        return ast.Call(ast.Constant(f"re.{function.attr}"), [ast.Constant(pattern.pattern), *call.args], [])

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        """Write `[x for x in xs]` as `list(xs)`, and `[str(x) for x in xs]` as `list(map(str, xs))`."""
        self.generic_visit(node)
        of_list, of_map = ast.Name("list", ast.Load()), ast.Name("map", ast.Load())
        if not is_builtin(of_list, self._scope, "list") or not is_builtin(of_map, self._scope, "map"):
            return node
        match node:
            case ast.ListComp(
                elt=ast.Name(id=name),
                generators=[ast.comprehension(target=ast.Name(id=given), iter=source, ifs=[], is_async=0)],
            ) if name == given:
                return ast.Call(of_list, [source], [])
            case ast.ListComp(
                elt=ast.Call(func=ast.Name() as called, args=[ast.Name(id=name)], keywords=[]),
                generators=[ast.comprehension(target=ast.Name(id=given), iter=source, ifs=[], is_async=0)],
            ) if name == given and is_builtin(called, self._scope, "str", "int", "float", "repr", "len"):
                return ast.Call(of_list, [ast.Call(of_map, [called, source], [])], [])
        return node

    def visit_Set(self, node: ast.Set) -> ast.AST:
        """Write the members of a set in one order."""
        self.generic_visit(node)
        return ast.Set(in_one_order(node.elts)) if not any(map(acts, node.elts)) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Write a formatted text that has nothing to format, but constants, as a plain one."""
        self.generic_visit(node)
        return joined(node.values)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Write `not` where it is needed only."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Compare):
            return negated(node.operand)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """Write `x if x else y` as `x or y`."""
        self.generic_visit(node)
        is_same = is_steady(node.test) and ast.dump(node.test) == ast.dump(node.body)
        return ast.BoolOp(ast.Or(), [node.test, node.orelse]) if is_same else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Write what a table that is written in the source has under a key."""
        self.generic_visit(node)
        written = entry(node.value, node.slice) if isinstance(node.ctx, ast.Load) else None
        return node if written is None else written


_OF_PATTERNS = frozenset({"match", "search", "fullmatch", "findall", "split"})


def _read_number(argument: ast.expr) -> None:
    """Write `get("LIMIT", "100")`, of which a number is read, as `get("LIMIT", 100)`."""
    match argument:
        case ast.Call(args=[_, ast.Constant(value=str() as text) as default], keywords=[]) if (
            text.isdecimal() and text.isascii()
        ):
            is_lookup = called_name(argument) in ("get", "getenv") and len(text) < DIGITS_MAX
            default.value = int(text) if is_lookup else text


def _is_typed_dict(known: Any) -> bool:
    return inspect.isclass(known) and is_typeddict(known)


def _takes_in_order(known: Any) -> bool:
    """Whether the order of keywords may count for what is called: it takes any, or is not known."""
    if known is None or known is collections.OrderedDict:
        return True
    try:
        parameters = inspect.signature(known).parameters.values()
    except (TypeError, ValueError):
        return is_ours(known)
    return is_ours(known) and any(one.kind is one.VAR_KEYWORD for one in parameters)


def _in_order(question: ast.expr) -> ast.expr:
    """Return a question with its keys in one order: people are shown them by their names."""
    if not isinstance(question, ast.Dict) or not all(isinstance(key, ast.Constant) for key in question.keys):
        return question
    if sum(map(acts, question.values)) > 1:
        return question
    pairs = sorted(zip(question.keys, question.values, strict=True), key=lambda pair: ast.dump(pair[0] or pair[1]))
    return ast.Dict([key for key, _ in pairs], [value for _, value in pairs])


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
