"""How a question or a call of a task is written, in which flow of control: what its answer is told by."""

from __future__ import annotations

import ast
from typing import Any

from rollout.contracts.export.code.names.copied import copied
from rollout.contracts.export.code.names.literals import literal_of
from rollout.contracts.export.code.names.resolving import resolved
from rollout.contracts.export.code.names.scope import Scope, scope_of

CONSTANT_MAX = 300
_LISTS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


_LOOKING_UP = frozenset(
    {"getattr", "globals", "locals", "vars", "__import__", "import_module", "importlib.import_module", "eval", "exec"}
)


def flow_of(above: tuple[ast.AST, ...], renamed: Renamed) -> str:
    """Return what decides how often something within these loops happens."""
    return "".join(f"{renamed.text(header)}: " for header in map(_header, above) if header is not None)


def is_task(known: Any) -> bool:
    """Whether something is a task of LangGraph's functional API."""
    return type(known).__name__ in ("_TaskFunction", "TaskFunction")


def tasks_handed(call: ast.Call, scope: Scope) -> list[Any]:
    """Return the tasks that are handed on, to `map` or another function."""
    return [known for argument in call.args if is_task(known := resolved(argument, scope))]


def is_dynamic(call: ast.Call, scope: Scope) -> bool:
    """Whether what is called is only known while it runs: by a text, or out of a table that cannot be looked into."""
    function = call.func
    if isinstance(function, ast.Subscript):
        return not isinstance(resolved(function.value, scope), dict | list | tuple)
    name = ast.unparse(function)
    looks_up = name in _LOOKING_UP or name.endswith(".__subclasses__")
    return looks_up and not (name == "vars" and not call.args) and resolved(call, scope) is None


def _header(node: ast.AST) -> ast.AST | None:
    """Return what decides how often the inside of a loop happens."""
    if isinstance(node, ast.While):
        return node.test
    if isinstance(node, _LISTS):
        return node.generators[0].iter
    return node.iter if isinstance(node, ast.For | ast.AsyncFor) else None


class Renamed:
    """Texts of expressions in which local names are numbered: what a variable is called means nothing."""

    def __init__(self, scope: Scope) -> None:
        """Write expressions of a function."""
        self._scope, self._numbers = scope, dict[str, str]()

    def text(self, node: ast.AST) -> str:
        """Return an expression as a text."""
        return ast.unparse(_Numbering(self._scope, self._numbers).visit(copied(node)))[:CONSTANT_MAX]


class _Numbering(ast.NodeTransformer):
    def __init__(self, scope: Scope, numbers: dict[str, str]) -> None:
        self._scope, self._numbers = scope, numbers

    def visit_Name(self, name: ast.Name) -> ast.AST:
        if name.id in self._scope.local:
            return ast.Name(self._numbers.setdefault(name.id, f"_{len(self._numbers)}"), name.ctx)
        here = scope_of(name, self._scope)
        # Only what is written in the source: other values may be secrets, and calls are readable.
        written = literal_of(here.module, name.id) if here.is_global(name.id) else None
        return name if written is None else written


def is_plain(value: Any) -> bool:
    """Whether a value is a text, a number, or a list of such."""
    if isinstance(value, list | tuple):
        return all(is_plain(part) for part in value)
    return isinstance(value, str | int | float | bool | type(None))
