"""What code goes by: constants, by how they are defined and not by their values, which may be of one process alone."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from rollout.contracts.export.definitions import definition_of, is_literal
from rollout.contracts.export.normal_form import StandsFor, normal_form, tells_only
from rollout.contracts.export.ownership import is_ours, is_own_module
from rollout.contracts.export.questions import is_plain
from rollout.contracts.export.reading import SourceReading
from rollout.contracts.export.resolving import in_order, resolved
from rollout.contracts.export.values import text_of

CONTAINERS = (dict, list, tuple, set, frozenset)
TABLE_DEPTH = 4


class Constants:
    """Writes down what names of modules stand for, each once."""

    def __init__(self, reading: SourceReading, order: dict[int, int], visit: Callable[[Any], None]) -> None:
        """Write into `reading`.

        Args:
            order: the callables that were read, by their ids, with their numbers.
            visit: reads another one.
        """
        self._reading, self._order, self._visit = reading, order, visit
        self._numbers: dict[tuple[str, str], int] = {}

    def stands_for(self, module: str) -> StandsFor:
        """Return what is written for the agent's own code and constants: their names mean nothing."""

        def written(node: ast.AST, known: Any) -> str | ast.AST | None:
            if isinstance(node, ast.Name | ast.Attribute) and (literal := _literal(module, node, known)) is not None:
                return literal
            if known is not None and id(known) in self._order:
                return f"code {self._order[id(known)]}"
            if isinstance(node, ast.Name) and (module, node.id) in self._numbers:
                return f"constant {self._numbers[module, node.id]}"
            return None

        return written

    def define(self, module: str, name: str, known: Any) -> None:
        """Take down how a name of a module is defined, and what it is defined by."""
        if (module, name) in self._numbers:
            return
        if is_literal(module, name):
            return  # it is written where it is used
        self._numbers[module, name] = len(self._numbers)
        at, statements = definition_of(module, name)
        if not statements:
            self.note(known)
            return
        if not is_own_module(at):
            return
        names = vars(sys.modules[at]) if at in sys.modules else {}
        for statement in statements:
            value = getattr(statement, "value", None)
            for inner, _ in in_order(statement if value is None else value):
                self._inside(at, inner, names)
            assigned = statement
            if value is not None:
                assigned = ast.Assign(targets=[ast.Name("_", ast.Store())], value=value, lineno=0)
            text = normal_form(assigned, (), lambda node: resolved(node, names), self.stands_for(at))
            self._reading.texts.append(text)
        self._functions_in(known)

    def _inside(self, module: str, node: ast.AST, names: dict[str, Any]) -> None:
        """Take down what a name within a definition stands for."""
        known = resolved(node, names) if isinstance(node, ast.Name | ast.Attribute) else None
        if known is None or isinstance(known, ModuleType) or tells_only(known):
            return
        if callable(known):
            if is_ours(known):
                self._visit(known)
        elif isinstance(node, ast.Name):
            self.define(module, node.id, known)
        elif isinstance(known, CONTAINERS) or is_plain(known):
            self.note(known)

    def note(self, known: Any) -> None:
        """Take down a value."""
        self._reading.texts.append(text_of(known))
        self._functions_in(known)

    def _functions_in(self, known: Any, depth: int = TABLE_DEPTH) -> None:
        """Look into a table of functions."""
        if not isinstance(known, CONTAINERS) or depth == 0:
            return
        for part in known.values() if isinstance(known, dict) else known:
            if callable(part) and (is_ours(part) or hasattr(part, "func")):
                self._visit(part)
            else:
                self._functions_in(part, depth - 1)


def _literal(module: str, node: ast.Name | ast.Attribute, known: Any) -> ast.AST | None:
    """Return the value of a constant that is written in the agent's source: it may as well stand where it is used."""
    if known is None or not is_plain(known):
        return None
    if isinstance(node, ast.Name):
        return _node(known) if is_literal(module, node.id) else None
    return None


def _node(value: Any) -> ast.AST:
    return ast.parse(repr(value), mode="eval").body
