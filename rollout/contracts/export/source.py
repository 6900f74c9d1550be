"""What the code behind a node asks people, and which tasks it calls, in order: read in its source, not run.

Everything a node leads to is looked into, as far as it can be resolved without running it: functions and methods that
are called or handed on, wrappers of decorators, partials, tools. Libraries are not.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FUNCTIONS_MAX = 300
CONSTANT_MAX = 300

LIBRARIES = frozenset({"langgraph", "langchain", "langchain_core", "pydantic", "pydantic_core", "typing_extensions"})
_LISTS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_FLOW = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, *_LISTS)


@dataclass
class SourceReading:
    """What was read.

    digest: of everything that was read; None where something had no source.

    Attributes:
        calls: questions and tasks in order, each as it is written.
        graphs: those that are called.
    """

    calls: list[str] = field(default_factory=list)
    graphs: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    is_whole: bool = True

    @property
    def digest(self) -> str | None:
        return hashlib.sha256("\n".join(self.texts).encode()).hexdigest()[:16] if self.is_whole else None


def reading_of(*targets: Any) -> SourceReading:
    """Read everything that some callables lead to."""
    walker = _Walker()
    for target in targets:
        walker.visit(target)
    return walker.reading


class _Walker:
    def __init__(self) -> None:
        self.reading = SourceReading()
        self._seen: set[int] = set()
        self._kept: list[Any] = []

    def visit(self, target: Any) -> None:
        """Read whatever can be called."""
        if target is None or id(target) in self._seen or len(self._seen) > FUNCTIONS_MAX:
            return
        self._seen.add(id(target))
        self._kept.append(target)  # an id is one object's only while that lives
        if hasattr(target, "get_subgraphs"):
            self.reading.graphs.append(target)
            return
        for inner in _inside(target):
            self.visit(inner)
        if isinstance(target, functools.partial):
            self.reading.texts.append(repr((target.args, sorted(target.keywords.items()))))
        elif inspect.isfunction(target) or inspect.ismethod(target):
            self._read(target)
        elif not inspect.isclass(target) and _is_ours(type(target)) and "__call__" in dir(type(target)):
            self.reading.texts.append(
                repr(sorted(vars(target).items(), key=str)) if hasattr(target, "__dict__") else ""
            )
            self.visit(type(target).__call__.__get__(target))

    def _read(self, function: Any) -> None:
        plain = getattr(function, "__func__", function)
        try:
            tree = _tree(plain)
        except (OSError, TypeError, SyntaxError, ValueError):
            self.reading.is_whole = False
            return
        names = _names(function, tree)
        renamed = _Renamed(plain.__code__.co_varnames + plain.__code__.co_cellvars)
        self.reading.texts.append(ast.dump(_without_docstrings(tree)))
        if inspect.ismethod(function) and hasattr(function.__self__, "__dict__"):
            self.reading.texts.append(repr(sorted((k, v) for k, v in vars(function.__self__).items() if _is_plain(v))))
        for node, above in _in_order(tree):
            known = _resolve(node.func if isinstance(node, ast.Call) else node, names)
            if isinstance(node, ast.Call):
                self._call(node, known, above, names, renamed)
            elif (callable(known) and _is_ours(known)) or hasattr(known, "get_subgraphs"):
                self.visit(known)
            elif _is_plain(known) and not isinstance(known, str):
                self.reading.texts.append(repr(known)[:CONSTANT_MAX])

    def _call(self, call: ast.Call, known: Any, above: tuple[ast.AST, ...], names: Any, renamed: _Renamed) -> None:
        name = ast.unparse(call.func).rpartition(".")[2]
        asks = getattr(known, "__name__", name) == "interrupt" and (known is None or not _is_ours(known))
        is_task = type(known).__name__ in ("_TaskFunction", "TaskFunction")
        if not asks and not is_task:
            return
        arguments = call.args + [keyword.value for keyword in call.keywords]
        text = ", ".join(renamed.text(argument, names) for argument in arguments)
        flow = "".join(f"{renamed.text(header, names)}: " for header in map(_header, above) if header is not None)
        self.reading.calls.append(f"{flow}{text}" if asks else f"task {flow}{getattr(known, '__name__', name)}({text})")
        if is_task:
            self.visit(getattr(known, "func", None))


def _header(node: ast.AST) -> ast.AST | None:
    """Return what decides whether, or how often, the inside of a statement happens."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        return node.test
    if isinstance(node, _LISTS):
        return node.generators[0].iter
    return node.iter if isinstance(node, ast.For | ast.AsyncFor) else None


class _Renamed:
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
                return ast.Constant(known) if _is_plain(known) and known is not None else name

        copied = ast.parse(ast.unparse(node), mode="eval")
        return ast.unparse(Numbering().visit(copied))[:CONSTANT_MAX]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(part) for part in value)
    return isinstance(value, str | int | float | bool | type(None))


def _inside(target: Any) -> list[Any]:
    """Return the callables that another one is made of."""
    functions: list[Any] = [
        getattr(target, name, None) for name in ("func", "afunc", "coroutine", "bound", "__wrapped__")
    ]
    functions += list(getattr(target, "steps", None) or ())
    tools = getattr(target, "tools_by_name", None)
    functions += [tools[name] for name in sorted(tools)] if isinstance(tools, dict) else []
    return [
        function
        for function in functions
        if callable(function) or hasattr(function, "func") or hasattr(function, "steps")
    ]


def _is_ours(target: Any) -> bool:
    """Whether something is of the agent, not of Python or a library."""
    module = str(getattr(target, "__module__", "") or type(target).__module__).partition(".")[0]
    return bool(module) and module not in sys.stdlib_module_names and module not in LIBRARIES


def _tree(function: Any) -> ast.AST:
    source = textwrap.dedent(inspect.getsource(function))
    try:
        return ast.parse(source)
    except SyntaxError:  # a lambda in the middle of an expression
        start = source.index("lambda")
        for end in range(len(source), start, -1):
            try:
                return ast.parse(source[start:end], mode="eval")
            except SyntaxError:
                continue
        raise


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return tree


def _in_order(tree: ast.AST, above: tuple[ast.AST, ...] = ()) -> Iterator[tuple[Any, tuple[ast.AST, ...]]]:
    """Return calls and names in the order in which they are reached: arguments before their call."""
    inner = (*above, tree) if isinstance(tree, _FLOW) else above
    for child in ast.iter_child_nodes(tree):
        yield from _in_order(child, inner)
    if isinstance(tree, ast.Call) or (isinstance(tree, ast.Name | ast.Attribute) and isinstance(tree.ctx, ast.Load)):
        yield tree, above


def _names(function: Any, tree: ast.AST) -> dict[str, Any]:
    """Return what names stand for in a function: of its module, around it, itself, and what it imports."""
    plain = getattr(function, "__func__", function)
    known = dict(getattr(plain, "__globals__", {}))
    for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=False):
        try:
            known[name] = cell.cell_contents
        except ValueError:
            continue
    if inspect.ismethod(function) and plain.__code__.co_varnames:
        known[plain.__code__.co_varnames[0]] = function.__self__
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = sys.modules.get(node.module) or _imported(node.module)
            known |= {alias.asname or alias.name: getattr(module, alias.name, None) for alias in node.names}
    return known


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001  whatever the agent's module does when it is imported
        return None


def _resolve(node: ast.AST, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        above = _resolve(node.value, names)
        try:
            return inspect.getattr_static(above, node.attr) if above is None else getattr(above, node.attr, None)
        except Exception:  # noqa: BLE001  a property of the agent's that fails
            return None
    return None
