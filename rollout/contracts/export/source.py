"""What the code behind a node asks people, and which tasks it calls, in order: read in its source, not run.

Everything a node leads to is looked into, as far as it can be resolved without running it: functions and methods that
are called or handed on, wrappers of decorators, partials, tools, tables of functions. Libraries are not. What the code
goes by (constants, settings) is read too. Where a call cannot be followed, and may ask, that is said.
"""

from __future__ import annotations

import ast
import functools
import inspect
from types import MappingProxyType, ModuleType
from typing import Any

from rollout.contracts.export.asking import asking_names
from rollout.contracts.export.constants import CONTAINERS, Constants
from rollout.contracts.export.definitions import name_of
from rollout.contracts.export.libraries import approvals_of, asks, held_by, is_tool
from rollout.contracts.export.normal_form import normal_form, tells_only
from rollout.contracts.export.ownership import is_ours
from rollout.contracts.export.questions import (
    Renamed,
    flow_of,
    is_dynamic,
    is_plain,
    is_task,
    tasks_handed,
)
from rollout.contracts.export.reading import SourceReading
from rollout.contracts.export.resolving import imported_in, in_order, names_in, resolved, tree_of
from rollout.contracts.export.unread import all_sources_text, compiled_text
from rollout.contracts.export.values import attributes_of, text_of

FUNCTIONS_MAX = 300

_NAMING = frozenset({"add_node", "add_sequence"})


def reading_of(*targets: Any) -> SourceReading:
    """Read everything that some callables lead to."""
    walker = _Walker()
    for target in targets:
        walker.visit(target)
    walker.end()
    return walker.reading


def _code_of(function: Any) -> str:
    return reading_of(function).digest


class _Walker:
    def __init__(self) -> None:
        self.reading = SourceReading()
        self._order: dict[int, int] = {}
        self._kept: list[Any] = []
        self._names_count = False
        self._constants = Constants(self.reading, self._order, self.visit)

    def visit(self, target: Any) -> None:
        """Read whatever can be called."""
        if target is None or id(target) in self._order:
            return
        if len(self._order) > FUNCTIONS_MAX:
            if self.reading.texts[-1:] != [all_sources_text()]:
                self._unread(all_sources_text())
            return
        self._order[id(target)] = len(self._order)
        self._kept.append(target)  # an id is one object's only while that lives
        if hasattr(type(target), "get_subgraphs"):
            self.reading.graphs.append(target)
            return
        if isinstance(by_name := _held(target, "tools_by_name"), dict):
            self._tool_node(target, by_name)
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
            self._object(target)
            self.visit(type(target).__call__.__get__(target))
        elif is_tool(target):
            self._tool(target.name, target)
            self.reading.texts.append(f"tool {target.name} {_arguments(target)}")

    def end(self) -> None:
        """Take down the names of functions where they count."""
        if self._names_count:
            self.reading.texts += [str(getattr(target, "__name__", "")) for target in self._kept]

    def _tool_node(self, node: Any, by_name: dict[str, Any]) -> None:
        """Take down the tools of a node that only calls tools: each is a task of its own, and read by itself."""
        for name, tool in sorted(by_name.items()):
            self._tool(name, tool)
            self.reading.graphs += self.reading.tool_readings[name].graphs
        for wrapper in ("_wrap_tool_call", "_awrap_tool_call"):
            self.visit(getattr(node, wrapper, None))

    def _tool(self, name: str, tool: Any) -> None:
        self.reading.tools[name] = tool
        reading = self.reading.tool_readings[name] = reading_of(*_inside(tool))
        self.reading.classes += reading.classes
        self.reading.modules |= reading.modules
        self.reading.is_dynamic |= reading.is_dynamic or not reading.is_whole

    def _class(self, target: type) -> None:
        """Read the methods of a class of the agent's, and what it holds."""
        self.reading.classes.append(target)
        self.reading.modules.add(target.__module__)
        for base in target.__mro__:
            if not is_ours(base):
                continue
            held = {name: value for name, value in vars(base).items() if not name.startswith("__")}
            held |= {name: getattr(known, "default", None) for name, known in held.pop("model_fields", {}).items()}
            held |= {name: known.default for name, known in vars(base).get("__pydantic_fields__", {}).items()}
            self.reading.texts.append(
                text_of({k: v for k, v in held.items() if not callable(v) and not _is_wrapped(v)})
            )
            for value in vars(base).values():
                function = getattr(value, "__func__", getattr(value, "fget", value))
                if inspect.isfunction(function) and is_ours(function):
                    self.visit(function)

    def _library(self, target: Any) -> None:
        """Take down whom a library's method asks, by its settings, and what it holds of the agent's."""
        self.reading.approvals |= approvals_of(target, _code_of)
        if (question := asks(target)) is not None:
            self.reading.calls.append(question)
            self.reading.texts.append(question)
        for held in held_by(target):
            self.visit(held)

    def _read(self, function: Any) -> None:
        plain = getattr(function, "__func__", function)
        if plain.__name__.startswith("__") and plain.__code__.co_filename == "<string>":
            return  # a method that dataclasses have made of the fields
        try:
            tree = tree_of(plain)
        except (OSError, TypeError, SyntaxError, ValueError):
            self._unread(compiled_text(plain.__code__))
            for name in plain.__code__.co_names:
                self._name(ast.Name(name, ast.Load()), plain.__globals__.get(name), plain, ())
            return
        names = names_in(function, tree)
        imported = imported_in(tree)
        local = tuple(n for n in plain.__code__.co_varnames + plain.__code__.co_cellvars if n not in imported)
        renamed = Renamed(local)
        self.reading.modules.add(str(plain.__module__))
        module, place = str(plain.__globals__.get("__name__", "")), len(self.reading.texts)
        self.reading.texts.append("")
        self.reading.approvals |= approvals_of(function, _code_of)
        if inspect.ismethod(function) and is_ours(type(function.__self__)):
            self._object(function.__self__)
        for node, above in in_order(tree):
            known = resolved(node.func if isinstance(node, ast.Call) else node, names)
            if isinstance(node, ast.Call):
                self._call(node, known, above, names, renamed)
            else:
                self._name(node, known, plain, local)
        self.reading.texts[place] = normal_form(
            tree, local, lambda node: resolved(node, names), self._constants.stands_for(module)
        )

    def _object(self, target: Any) -> None:
        """Take down what an object goes by: how it is defined, where it has a name; else what it holds.

        What it holds may be of this machine alone: an address, a key of the environment.
        """
        if (place := name_of(target)) is not None:
            self._constants.define(*place, target)
        else:
            self.reading.texts.append(attributes_of(target))

    def _follow_nothing(self) -> None:
        """Note that something is called that is only known while it runs: it may be anything of the agent's."""
        if not self.reading.is_dynamic:
            self.reading.texts.append(all_sources_text())
        self.reading.is_dynamic = True
        self.reading.may_ask |= bool(asking_names())

    def _unread(self, text: str) -> None:
        """Note that something was not read, and what stands for it."""
        self.reading.is_whole, self.reading.may_ask = False, True
        self.reading.texts.append(text)

    def _name(self, node: Any, known: Any, plain: Any, local: tuple[str, ...]) -> None:
        if known is None or (isinstance(node, ast.Name) and (node.id in local or _is_of_import(node.id))):
            return
        if (callable(known) and is_ours(known)) or hasattr(type(known), "get_subgraphs"):
            self.visit(known)
        elif isinstance(known, ModuleType) or tells_only(known) or inspect.isroutine(known):
            return
        elif isinstance(node, ast.Name) and node.id in plain.__globals__ and node.id not in plain.__code__.co_freevars:
            self._constants.define(str(plain.__globals__.get("__name__", "")), node.id, known)
        elif isinstance(known, CONTAINERS) or is_plain(known):
            self._constants.note(known)

    def _call(self, call: ast.Call, known: Any, above: tuple[ast.AST, ...], names: Any, renamed: Renamed) -> None:
        name = ast.unparse(call.func).rpartition(".")[2]
        asks = getattr(known, "__name__", name) == "interrupt" and (known is None or not is_ours(known))
        for task in tasks_handed(call, names):
            self.reading.calls.append(f"task {getattr(task, '__name__', '')}(of each)")
            self.visit(getattr(task, "func", None))
        if not asks and not is_task(known):
            if is_dynamic(call, names):
                self._follow_nothing()
            elif isinstance(value := resolved(call, names), CONTAINERS) or (is_plain(value) and value is not None):
                self._constants.note(value)
            self.reading.may_ask |= known is None and name in asking_names()
            self._names_count |= name in _NAMING  # nodes are kept by their names
            return
        arguments = call.args + [keyword.value for keyword in call.keywords]
        text = flow_of(above, renamed, names)
        arguments_text = ", ".join(renamed.text(argument, names) for argument in arguments)
        self.reading.calls.append(
            f"{text}{arguments_text}" if asks else f"task {text}{getattr(known, '__name__', name)}({arguments_text})"
        )
        if is_task(known):
            self.visit(getattr(known, "func", None))


def _held(target: Any, name: str) -> Any:
    """Return an attribute that something has; nothing of what it makes up when it is asked."""
    return getattr(target, name, None) if inspect.getattr_static(target, name, None) is not None else None


def _is_of_import(name: str) -> bool:
    """Whether a name says where a module lies, which is another place on every machine."""
    return name.startswith("__") and name.endswith("__")


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
    functions: list[Any] = [_held(target, name) for name in ("func", "afunc", "coroutine", "bound", "__wrapped__")]
    steps = _held(target, "steps")
    functions += steps if isinstance(steps, list | tuple) else ()
    registry = _held(target, "registry")  # of a singledispatch
    functions += list(registry.values()) if isinstance(registry, MappingProxyType) else []
    if is_tool(target) and is_ours(type(target)):
        functions += [getattr(target, name, None) for name in ("_run", "_arun")]
    return [
        function
        for function in functions
        if callable(function) or hasattr(function, "func") or hasattr(function, "steps")
    ]
