"""Texts that are put together in one of several ways, written as formatted ones."""

from __future__ import annotations

import ast
import re
import string
from typing import TypeGuard

from rollout.contracts.export.code.names.resolving import is_builtin
from rollout.contracts.export.code.names.scope import Scope, scope_of
from rollout.contracts.export.code.simplify.purity import acts, called_name

DIGITS_MAX = 128
"""A number of more binary digits is not written out."""

_AS_IT_IS = -1
_AS_TEXT = ord("s")
_OF_TEXTS = frozenset({"upper", "lower", "strip", "lstrip", "rstrip", "title", "capitalize", "join", "format"})
_PLACES = re.compile(r"%(.)", re.DOTALL)

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

    What is added to a text is one, or it fails: a key of what a function is handed is taken for one.
    """
    parts = _parts(node, scope)
    is_text = parts is not None and any(isinstance(part, ast.Constant) for part in parts)
    return joined(parts) if parts is not None and is_text else None


def filled_in(node: ast.BinOp) -> ast.expr | None:
    """Return `"%s of %s" % (a, b)` as a formatted text; None where it asks for more than texts."""
    if not isinstance(node.left, ast.Constant) or not isinstance(node.left.value, str):
        return None
    values = list(node.right.elts) if isinstance(node.right, ast.Tuple) else [node.right]
    kinds = _PLACES.findall(node.left.value)
    if (
        set(kinds) - {"s", "%"}
        or kinds.count("s") != len(values)
        or node.left.value.count("%") != len(kinds) + kinds.count("%")
    ):
        return None
    if any(isinstance(value, ast.Starred | ast.Dict) for value in values):
        return None
    parts: Parts = []
    for position, text in enumerate(re.split(r"%s", node.left.value.replace("%%", "\0"))):
        if position:
            parts.append(ast.FormattedValue(values[position - 1], _AS_IT_IS, None))
        parts.append(ast.Constant(text.replace("\0", "%")))
    return joined(parts)


def formatted(call: ast.Call) -> ast.expr | None:
    """Return `"{} of {name}".format(a, name=b)` as a formatted text; None where it is not as plain as that."""
    function = call.func
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
    """Whether an expression is taken for a text: a method of texts has made it, or it was handed to the function."""
    if acts(node):
        return False
    match node:
        case ast.Call(func=ast.Attribute()) if called_name(node) in _OF_TEXTS:
            return True
        case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(), ast.Constant(value=str())]):
            return _is_handed(owner, scope)
        case ast.Subscript(value=owner, slice=ast.Constant(value=str())):
            return _is_handed(owner, scope)
        case ast.Attribute():
            return _is_handed(node, scope)
    return False


def _is_handed(name: ast.expr, scope: Scope) -> bool:
    """Whether a name is what the function that it is written in was handed, or an attribute of that."""
    while isinstance(name, ast.Attribute):
        name = name.value
    if not isinstance(name, ast.Name):
        return False
    function = getattr(scope_of(name, scope).function, "__code__", None)
    if function is None:
        return False
    return name.id in function.co_varnames[: function.co_argcount + function.co_kwonlyargcount]


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
