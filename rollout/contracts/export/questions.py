"""How a question or a call of a task is written, in which flow of control: what its answer is told by."""

from __future__ import annotations

import ast
from typing import Any

from rollout.contracts.export.definitions import is_literal
from rollout.contracts.export.resolving import resolved

CONSTANT_MAX = 300
_LISTS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


_LOOKING_UP = frozenset(
    {"getattr", "globals", "locals", "vars", "__import__", "import_module", "importlib.import_module", "eval", "exec"}
)


def flow_of(above: tuple[ast.AST, ...], renamed: Renamed, names: dict[str, Any]) -> str:
    """Return what decides whether, and how often, something within these statements happens."""
    return "".join(f"{renamed.text(header, names)}: " for header in map(_header, above) if header is not None)


def is_task(known: Any) -> bool:
    """Whether something is a task of LangGraph's functional API."""
    return type(known).__name__ in ("_TaskFunction", "TaskFunction")


def tasks_handed(call: ast.Call, names: dict[str, Any]) -> list[Any]:
    """Return the tasks that are handed on, to `map` or another function."""
    return [known for argument in call.args if is_task(known := resolved(argument, names))]


def is_dynamic(call: ast.Call, names: dict[str, Any]) -> bool:
    """Whether what is called is only known while it runs: by a text, or out of a table that cannot be looked into."""
    function = call.func
    if isinstance(function, ast.Subscript):
        return not isinstance(resolved(function.value, names), dict | list | tuple)
    name = ast.unparse(function)
    looks_up = name in _LOOKING_UP or name.endswith(".__subclasses__")
    return looks_up and not (name == "vars" and not call.args) and resolved(call, names) is None


def _header(node: ast.AST) -> ast.AST | None:
    """Return what decides whether, or how often, the inside of a statement happens."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        return node.test
    if isinstance(node, _LISTS):
        return node.generators[0].iter
    return node.iter if isinstance(node, ast.For | ast.AsyncFor) else None


class Renamed:
    """Texts of expressions in which local names are numbered: what a variable is called means nothing."""

    def __init__(self, local: tuple[str, ...]) -> None:
        self._local, self._numbers = set(local), dict[str, str]()

    def text(self, node: ast.AST, names: dict[str, Any]) -> str:
        outer = self

        class Numbering(ast.NodeTransformer):
            def visit_Name(self, name: ast.Name) -> ast.AST:
                if name.id in outer._local:
                    number = outer._numbers.setdefault(name.id, f"_{len(outer._numbers)}")
                    return ast.Name(number, name.ctx)
                known = names.get(name.id)
                # Only what is written in the source: other values may be secrets, and calls are readable.
                is_told = known is not None and is_literal(str(names.get("__name__", "")), name.id)
                return ast.Constant(known) if is_told else name

        copied = ast.parse(ast.unparse(node), mode="eval")
        return ast.unparse(Numbering().visit(copied))[:CONSTANT_MAX]


def is_plain(value: Any) -> bool:
    """Whether a value is a text, a number, or a list of such."""
    if isinstance(value, list | tuple):
        return all(is_plain(part) for part in value)
    return isinstance(value, str | int | float | bool | type(None))
