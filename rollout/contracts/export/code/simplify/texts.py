"""Texts that are put together in one of several ways, written as formatted ones."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from typing import TypeGuard

from rollout.contracts.export.code.names.resolving import is_builtin, resolved
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.simplify.hinted import is_number, is_whole_number
from rollout.contracts.export.code.simplify.purity import acts, called_name

DIGITS_MAX = 128
"""A number of more binary digits is not written out."""

_AS_IT_IS = -1
_AS_TEXT = ord("s")
_OF_TEXTS = frozenset({"upper", "lower", "strip", "lstrip", "rstrip", "title", "capitalize", "join", "format"})
_PLACE = re.compile(r"s|d|\.[0-9]f")

Parts = list[ast.expr]
"""What a formatted text is made of: constants, and values to be formatted."""


def joined(parts: Parts) -> ast.expr:
    """Return a text of parts, written in one way: as a constant, as a call of `str`, or as a formatted text."""
    flat: Parts = []
    for part in map(_formatted, _flat(parts)):
        last = flat[-1] if flat else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            flat[-1] = ast.Constant(str(last.value) + str(part.value))
        else:
            flat.append(part)
    if all(isinstance(part, ast.Constant) for part in flat):
        return flat[0] if flat else ast.Constant("")
    return ast.JoinedStr(flat)


def added(node: ast.BinOp, scope: Scope) -> ast.expr | None:
    """Return texts that are added up as one; None where they may be something else.

    What is added to a text is one, or it fails.
    """
    parts = _parts(node, scope)
    is_text = parts is not None and any(isinstance(part, ast.Constant) for part in parts)
    return joined(parts) if parts is not None and is_text else None


def filled_in(node: ast.BinOp, scope: Scope) -> ast.expr | None:
    """Return `"%s of %d" % (a, b)` as a formatted text; None where it asks for more than texts and numbers.

    `%d` cuts a number off: it is as plain as `%s` only for what is a whole number.
    """
    if not isinstance(node.left, ast.Constant) or not isinstance(node.left.value, str):
        return None
    values = list(node.right.elts) if isinstance(node.right, ast.Tuple) else [node.right]
    if any(isinstance(value, ast.Starred | ast.Dict) for value in values):
        return None
    parts: Parts = []
    for text, place in _pieces(node.left.value):
        parts.append(ast.Constant(text))
        if place is None:
            continue
        if not values or place == "":
            return None
        value = values.pop(0)
        if place == "d" and not is_whole_number(value, scope):
            return None
        spec = ast.JoinedStr([ast.Constant(place)]) if place not in ("s", "d") else None
        parts.append(ast.FormattedValue(value, _AS_IT_IS, spec))
    return None if values else joined(parts)


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Return the pieces of a text, each with what is to be filled in after it; empty where that is not as plain."""
    plain, rest = "", text
    while (at := rest.find("%")) >= 0:
        plain, rest = plain + rest[:at], rest[at + 1 :]
        if rest.startswith("%"):
            plain, rest = plain + "%", rest[1:]
            continue
        place = _PLACE.match(rest)
        yield plain, place[0] if place else ""
        plain, rest = "", rest[place.end() if place else 0 :]
    yield plain + rest, None


def formatted(call: ast.Call, scope: Scope) -> ast.expr | None:
    """Return `"{} of {name}".format(a, name=b)` as a formatted text, and `format(a, ".2f")`; None for any other."""
    function = call.func
    if is_builtin(function, scope, "format"):
        match call:
            case ast.Call(args=[value, ast.Constant(value=str()) as how], keywords=[]):
                return joined([ast.FormattedValue(value, _AS_IT_IS, ast.JoinedStr([how]))])
    if not isinstance(function, ast.Attribute) or function.attr != "format":
        return None
    if not isinstance(function.value, ast.Constant) or not isinstance(function.value.value, str):
        return None
    given: dict[str, ast.expr] = {str(number): value for number, value in enumerate(call.args)}
    given |= {one.arg: one.value for one in call.keywords if one.arg}
    if len(given) < len(call.args) + len(call.keywords) or sum(map(acts, given.values())) > 1:
        return None
    parts: Parts = []
    used: list[str] = []
    try:
        fields = list(string.Formatter().parse(function.value.value))
    except ValueError:
        return None
    for text, field, spec, conversion in fields:
        parts.append(ast.Constant(text))
        if field is None:
            continue
        name = field or str(len(used))
        if name not in given or name in used or "{" in (spec or ""):
            return None
        used.append(name)
        detail = ast.JoinedStr([ast.Constant(spec)]) if spec else None
        parts.append(ast.FormattedValue(given[name], ord(conversion) if conversion else _AS_IT_IS, detail))
    return joined(parts) if len(used) == len(given) and not _hides(call) else None


def _hides(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args)


def _flat(parts: Parts) -> Parts:
    """Return parts in which a formatted text within another one is part of that."""
    flat: Parts = []
    for part in parts:
        if isinstance(part, ast.JoinedStr):
            flat += _flat(part.values)
        elif isinstance(part, ast.FormattedValue) and _is_plain(part) and isinstance(part.value, ast.JoinedStr):
            flat += _flat(part.value.values)
        else:
            flat.append(part)
    return flat


def _is_plain(part: ast.FormattedValue) -> bool:
    return part.conversion in (_AS_IT_IS, _AS_TEXT) and part.format_spec is None


def _parts(node: ast.expr, scope: Scope) -> Parts | None:
    """Return what a text is made of; None where it may be no text."""
    match node:
        case ast.Constant(value=str()):
            return [node]
        case ast.JoinedStr(values=values):
            return list(values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, two = _parts(left, scope), _parts(right, scope)
            return None if one is None or two is None else [*one, *two]
        case ast.Call(func=function, args=[_], keywords=[]) if is_builtin(function, scope, "str"):
            return [ast.FormattedValue(node, _AS_IT_IS, None)]
    return [ast.FormattedValue(node, _AS_IT_IS, None)] if _is_text(node, scope) else None


def _is_text(node: ast.expr, scope: Scope) -> bool:
    """Whether an expression is taken for a text: what is added to one is, or it fails; unless it is said to be none."""
    if acts(node):
        return False
    if isinstance(node, ast.Call):
        is_of_texts = isinstance(node.func, ast.Attribute) and called_name(node) in _OF_TEXTS
        return is_of_texts or _is_looked_up(node)
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript) or is_number(node, scope):
        return False
    return isinstance(resolved(node, scope), str | None)  # a template of a library's may be added to, too


def _is_looked_up(call: ast.Call) -> bool:
    """Whether a call is `state.get("name", "nobody")`."""
    match call:
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(), ast.Constant(value=str())], keywords=[]):
            return True
    return False


def _formatted(part: ast.expr) -> ast.expr:
    """Return a part as it is in one way: a short constant as its text, `str(x)` and `x!s` as `x`."""
    if not isinstance(part, ast.FormattedValue) or not _is_plain(part):
        return part
    match part.value:
        case ast.Call(func=ast.Name(id="str"), args=[value], keywords=[]):
            return _formatted(ast.FormattedValue(value, _AS_IT_IS, None))
    if _is_short_text(part.value):
        return ast.Constant(format(part.value.value))
    return ast.FormattedValue(part.value, _AS_IT_IS, None)


def _is_short_text(value: ast.expr) -> TypeGuard[ast.Constant]:
    """Whether a constant is a text, or a number that Python writes as one without a word."""
    if not isinstance(value, ast.Constant):
        return False
    is_small = isinstance(value.value, int) and value.value.bit_length() <= DIGITS_MAX
    return is_small or isinstance(value.value, str | float)
