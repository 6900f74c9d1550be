"""What the code behind a node asks people, and which tasks it calls, in order: read in its source, not run.

Everything a node leads to is looked into, as far as it can be resolved without running it: functions and methods that
are called or handed on, wrappers of decorators, partials, tools, tables of functions. Libraries are not. What the code
goes by (constants, settings) is read too. Where a call cannot be followed, and may ask, that is said.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from rollout.contracts.export.asking import asking_names
from rollout.contracts.export.definitions import definition_of
from rollout.contracts.export.normal_form import StandsFor, normal_form, tells_only
from rollout.contracts.export.ownership import is_ours, is_own_module
from rollout.contracts.export.questions import (
    Renamed,
    flow_of,
    is_dynamic,
    is_plain,
    is_task,
    tasks_handed,
)
from rollout.contracts.export.resolving import imported_in, in_order, names_in, resolved, tree_of
from rollout.contracts.export.values import attributes_of, path_of, text_of

FUNCTIONS_MAX = 300

_CONTAINERS = (dict, list, tuple, set, frozenset)


@dataclass
class SourceReading:
    """What was read.

    Attributes:
        calls: questions and tasks in order, each as it is written.
        graphs: those that are called.
        texts: everything that was read, in a form of its own.
        is_whole: whether everything could be read.
        may_ask: whether something may be asked that is not in `calls`.
    """

    calls: list[str] = field(default_factory=list)
    graphs: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    is_whole: bool = True
    may_ask: bool = False

    @property
    def digest(self) -> str | None:
        """A digest of everything that was read; None where something had no source."""
        return _digest("\n".join(self.texts)) if self.is_whole else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def reading_of(*targets: Any) -> SourceReading:
    """Read everything that some callables lead to."""
    walker = _Walker()
    for target in targets:
        walker.visit(target)
    return walker.reading


class _Walker:
    def __init__(self) -> None:
        self.reading = SourceReading()
        self._order: dict[int, int] = {}
        self._kept: list[Any] = []
        self._defined: dict[tuple[str, str], int] = {}

    def visit(self, target: Any) -> None:
        """Read whatever can be called."""
        if target is None or id(target) in self._order:
            return
        if len(self._order) > FUNCTIONS_MAX:
            self.reading.is_whole, self.reading.may_ask = False, True
            return
        self._order[id(target)] = len(self._order)
        self._kept.append(target)  # an id is one object's only while that lives
        if hasattr(type(target), "get_subgraphs"):
            self.reading.graphs.append(target)
            return
        for inner in _inside(target):
            self.visit(inner)
        if isinstance(target, functools.partial):
            self.reading.texts.append(text_of((target.args, sorted(target.keywords.items()))))
        elif inspect.isfunction(target) or inspect.ismethod(target):
            self._read(target) if is_ours(target) else self._library(target)
        elif inspect.isclass(target):
            self._class(target)
        elif is_ours(type(target)) and "__call__" in dir(type(target)):
            self.reading.texts.append(attributes_of(target))
            self.visit(type(target).__call__.__get__(target))
        elif hasattr(target, "args_schema") and hasattr(target, "name"):
            self.reading.texts.append(f"tool {target.name} {_arguments(target)}")

    def _class(self, target: type) -> None:
        """Read the methods of a class of the agent's, and what it holds."""
        for base in target.__mro__:
            if not is_ours(base):
                continue
            held = {name: value for name, value in vars(base).items() if not name.startswith("__")}
            self.reading.texts.append(
                text_of({k: v for k, v in held.items() if not callable(v) and not _is_wrapped(v)})
            )
            for value in vars(base).values():
                function = getattr(value, "__func__", getattr(value, "fget", value))
                if inspect.isfunction(function) and is_ours(function):
                    self.visit(function)

    def _library(self, target: Any) -> None:
        """Take down a library's method with what it is bound to: a middleware that asks, with its settings."""
        owner = getattr(target, "__self__", None)
        if owner is None:
            return
        text = f"{path_of(target)} {attributes_of(owner)}"
        self.reading.texts.append(text)
        try:
            asks = "interrupt(" in inspect.getsource(target)
        except (OSError, TypeError):
            return
        if asks:
            # By its digest: settings of a middleware may be secrets, and calls are readable in the contract.
            self.reading.calls.append(f"{path_of(target)} {_digest(text)}")

    def _read(self, function: Any) -> None:
        plain = getattr(function, "__func__", function)
        if plain.__name__.startswith("__") and plain.__code__.co_filename == "<string>":
            return  # a method that dataclasses have made of the fields
        try:
            tree = tree_of(plain)
        except (OSError, TypeError, SyntaxError, ValueError):
            self.reading.is_whole, self.reading.may_ask = False, True
            return
        names = names_in(function, tree)
        imported = imported_in(tree)
        local = tuple(n for n in plain.__code__.co_varnames + plain.__code__.co_cellvars if n not in imported)
        renamed = Renamed(local)
        module, place = str(plain.__globals__.get("__name__", "")), len(self.reading.texts)
        self.reading.texts.append("")
        if inspect.ismethod(function) and is_ours(type(function.__self__)):
            self.reading.texts.append(attributes_of(function.__self__))
        for node, above in in_order(tree):
            known = resolved(node.func if isinstance(node, ast.Call) else node, names)
            if isinstance(node, ast.Call):
                self._call(node, known, above, names, renamed)
            else:
                self._name(node, known, plain, local)
        self.reading.texts[place] = normal_form(
            tree, local, lambda node: resolved(node, names), self._stands_for(module)
        )

    def _stands_for(self, module: str) -> StandsFor:
        """Return what is written for the agent's own code and constants: their names mean nothing."""

        def written(node: ast.AST, known: Any) -> str | None:
            if known is not None and id(known) in self._order:
                return f"code {self._order[id(known)]}"
            if isinstance(node, ast.Name) and (module, node.id) in self._defined:
                return f"constant {self._defined[module, node.id]}"
            return None

        return written

    def _name(self, node: Any, known: Any, plain: Any, local: tuple[str, ...]) -> None:
        if known is None or (isinstance(node, ast.Name) and node.id in local):
            return
        if (callable(known) and is_ours(known)) or hasattr(type(known), "get_subgraphs"):
            self.visit(known)
        elif isinstance(known, ModuleType) or tells_only(known):
            return
        elif isinstance(node, ast.Name) and node.id in plain.__globals__ and node.id not in plain.__code__.co_freevars:
            self._defined_as(str(plain.__globals__.get("__name__", "")), node.id, known)
        elif isinstance(known, _CONTAINERS) or is_plain(known):
            self._value(known)

    def _defined_as(self, module: str, name: str, known: Any) -> None:
        """Take down how a name of a module is defined, and what it is defined by."""
        if (module, name) in self._defined:
            return
        self._defined[module, name] = len(self._defined)
        at, statements = definition_of(module, name)
        if not statements:
            self._value(known)
            return
        if not is_own_module(at):
            return
        names = vars(sys.modules[at]) if at in sys.modules else {}
        for statement in statements:
            value = getattr(statement, "value", None)
            if value is None:
                continue
            assigned = ast.Assign(targets=[ast.Name("_", ast.Store())], value=value, lineno=0)
            for inner, _ in in_order(value):
                if isinstance(inner, ast.Name):
                    known_inside = names.get(inner.id)
                    if callable(known_inside) and is_ours(known_inside):
                        self.visit(known_inside)
                    elif (
                        known_inside is not None
                        and not callable(known_inside)
                        and not isinstance(known_inside, ModuleType)
                    ):
                        self._defined_as(at, inner.id, known_inside)
            self.reading.texts.append(
                normal_form(assigned, (), lambda node: resolved(node, names), self._stands_for(at))
            )
        self._functions_in(known)

    def _value(self, known: Any) -> None:
        self.reading.texts.append(text_of(known))
        self._functions_in(known)

    def _functions_in(self, known: Any, depth: int = 4) -> None:
        """Look into a table of functions."""
        if not isinstance(known, _CONTAINERS) or depth == 0:
            return
        for part in known.values() if isinstance(known, dict) else known:
            if callable(part) and (is_ours(part) or hasattr(part, "func")):
                self.visit(part)
            else:
                self._functions_in(part, depth - 1)

    def _call(self, call: ast.Call, known: Any, above: tuple[ast.AST, ...], names: Any, renamed: Renamed) -> None:
        name = ast.unparse(call.func).rpartition(".")[2]
        asks = getattr(known, "__name__", name) == "interrupt" and (known is None or not is_ours(known))
        for task in tasks_handed(call, names):
            self.reading.calls.append(f"task {getattr(task, '__name__', '')}(of each)")
            self.visit(getattr(task, "func", None))
        if not asks and not is_task(known):
            dynamic = is_dynamic(call, names) and bool(asking_names())
            self.reading.may_ask |= known is None and (name in asking_names() or dynamic)
            return
        arguments = call.args + [keyword.value for keyword in call.keywords]
        text = flow_of(above, renamed, names)
        arguments_text = ", ".join(renamed.text(argument, names) for argument in arguments)
        self.reading.calls.append(
            f"{text}{arguments_text}" if asks else f"task {text}{getattr(known, '__name__', name)}({arguments_text})"
        )
        if is_task(known):
            self.visit(getattr(known, "func", None))


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, staticmethod | classmethod | property)


def _arguments(tool: Any) -> str:
    """Return the form of a tool's arguments: a call of it that waits was made in that form."""
    try:
        return text_of(tool.args)
    except Exception:  # noqa: BLE001  a tool of the agent's may fail in any way
        return ""


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
