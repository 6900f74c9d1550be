"""Context managers of the agent's own that only tell, or measure, that their body runs."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.trees import tree_of
from rollout.contracts.export.code.simplify.rewriting import without_clocks

_MAKERS = frozenset({contextlib.contextmanager.__code__.co_filename})


@functools.lru_cache(maxsize=2048)
def only_tells_around(maker: Any, strip: Callable[[Scope], ast.NodeTransformer]) -> bool:
    """Whether a function makes context managers that do nothing but tell somebody, before their body and after.

    Args:
        strip: takes away what only tells, of code of a scope.
    """
    generator = getattr(maker, "__wrapped__", None)
    if not inspect.isgeneratorfunction(generator) or not is_ours(generator) or not inspect.isfunction(maker):
        return False
    if maker.__code__.co_filename not in _MAKERS:
        return False
    try:
        tree = tree_of(generator)
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    scope = Scope.of_function(generator, tree)
    scope.mark(tree)
    strip(scope).visit(tree)
    return _only_yields(without_clocks(tree.body))


def _only_yields(statements: list[ast.stmt]) -> bool:
    match statements:
        case [ast.Expr(value=ast.Yield(value=None | ast.Constant(value=None)))]:
            return True
        case [ast.Try(body=body, handlers=[], orelse=[], finalbody=[])]:
            return _only_yields(body)
    return False
