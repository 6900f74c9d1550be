"""What the code behind a node asks people, and which tasks it calls, in order: read in its source, not run.

Everything a node leads to is looked into, as far as it can be resolved without running it: functions and methods that
are called or handed on, wrappers of decorators, partials, tools, tables of functions. Libraries are not. What the code
goes by (constants, settings) is read too. Where a call cannot be followed, and may ask, that is said.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from rollout.contracts.export.code.constants import Constants, key_of
from rollout.contracts.export.code.data_files import texts_of_files
from rollout.contracts.export.code.functions import Functions
from rollout.contracts.export.code.libraries import (
    approvals_of,
    asks,
    can_jump,
    held_by,
    is_asking,
    is_tool,
    parts_of,
    settings_of,
    wrapped_around,
)
from rollout.contracts.export.code.members import ClassMembers
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import has, probed
from rollout.contracts.export.code.reading import SourceReading
from rollout.contracts.export.code.simplify.wrappers import handed_on_to, passes_on
from rollout.contracts.export.code.unread import all_sources_text
from rollout.contracts.export.code.values import ValueText, path_of, text_of

FUNCTIONS_MAX = 300


def reading_of(
    *targets: Any, settings: Any = None, owner: type | None = None, state: Iterable[type] = ()
) -> SourceReading:
    """Read everything that some callables lead to.

    Args:
        settings: values that are handed to them.
        state: classes of what they are handed.
        owner: the class whose methods they are.
    """
    walker = _Walker(owner, tuple(state))
    if settings:
        walker.note(settings)
    for target in targets:
        walker.visit(target)
    walker.end()
    return walker.reading


def _read_apart(function: Any) -> SourceReading:
    """Return what is read of a function by itself; a mark where it is being read."""
    key = key_of(function)
    if key in _APART:
        return _APART[key][1]
    if key in _READ_NOW:
        return SourceReading(texts=["itself"])
    is_first = not _READ_NOW
    _READ_NOW.add(key)
    try:
        reading = reading_of(function)
    finally:
        _READ_NOW.discard(key)
    if is_first and len(_APART) < FUNCTIONS_MAX:  # else it depends on what is being read around it
        _APART[key] = function, reading
    return reading


_READ_NOW: set[Any] = set()
_TOOLS_READ_NOW: list[str] = []
_APART: dict[Any, tuple[Any, SourceReading]] = {}
"""Functions, each with what was read of it: a key is one function's only while that lives."""


class _Walker:
    def __init__(self, owner: type | None, state: tuple[type, ...]) -> None:
        self.reading = SourceReading()
        self._state = state
        self._order: dict[Any, int] = {}
        self._kept: list[Any] = []
        self._constants = Constants(self.reading, self._order, self.visit, self._code_of)
        self._functions = Functions(self.reading, self._constants, self.visit, _read_apart, owner)
        self._members = ClassMembers(self.reading, self.visit, self._functions.has_read)

    def visit(self, target: Any) -> None:
        """Read whatever can be called."""
        target = handed_on_to(target)
        if target is None or key_of(target) in self._order:
            return
        if len(self._order) > FUNCTIONS_MAX:
            self._functions.leave_out(all_sources_text())
            return
        self._order[key_of(target)] = len(self._order)
        self._kept.append(target)  # an id is one object's only while that lives
        if is_asking(target):
            self.reading.may_ask = True
            return
        if hasattr(type(target), "get_subgraphs"):
            self.reading.graphs.append(target)
            return
        self.reading.can_jump |= can_jump(target)
        if isinstance(by_name := _held(target, "tools_by_name"), dict):
            self._tool_node(target, by_name)
            return
        for inner in _inside(target):
            self.visit(inner)
        if parts := parts_of(target):
            for inner in parts:
                self.visit(inner)
            self.note(parts)
        if bound := _settings(target):
            self._constants.note(bound)
        if callable(how := _held(target, "cache_parameters")):
            self.reading.texts.append(f"cached {how()}")
        if isinstance(by_type := _held(target, "registry"), MappingProxyType):  # of a singledispatch
            self.reading.texts.append(f"by {', '.join(map(path_of, by_type))}")
        if isinstance(target, functools.partial):
            self._constants.note((target.args, sorted(target.keywords.items())), target.func)
        elif inspect.isfunction(target) or inspect.ismethod(target):
            self.reading.approvals |= approvals_of(target, self._code_of)
            self._functions.read(target) if is_ours(target) else self._library(target)
        elif inspect.isclass(target):
            self._class(target)
        elif is_ours(type(target)) and "__call__" in dir(type(target)):
            self.visit(type(target).__call__.__get__(target))
        elif is_tool(target):
            self._tool(target.name, target)
            self.reading.texts.append(f"tool {target.name} {_arguments(target)}")

    def note(self, value: Any) -> None:
        """Take down a value that code goes by."""
        self._constants.note(value)

    def end(self) -> None:
        """Take down the names of functions where they count, and what stands in files that are named."""
        for class_ in self._state:
            self._members.add(class_)
        self._members.read_named()
        for text in texts_of_files(self.reading.literals, reads=self.reading.reads_files):
            self.reading.texts.append(text)
            self.reading.note_part(text.rpartition(" ")[0], text)
        self.reading.texts += self._constants.order()
        if self._functions.names_count:
            self.reading.texts += [str(probed(target, "__name__", "")) for target in self._kept]

    def _code_of(self, function: Any) -> str:
        reading = _read_apart(function)
        self.reading.named |= reading.named
        return reading.digest

    def _tool_node(self, node: Any, by_name: dict[str, Any]) -> None:
        """Take down the tools of a node that only calls tools: each is a task of its own, and read by itself."""
        errors = _held(node, "_handle_tool_errors")
        for name, tool in sorted(by_name.items()):
            self._tool(name, tool)
            if not inspect.isroutine(errors) or is_ours(errors):
                self.reading.tool_readings[name].texts.append(f"errors {ValueText().of(errors)}")
            self.reading.graphs += self.reading.tool_readings[name].graphs
        wrappers = [getattr(node, name, None) for name in ("_wrap_tool_call", "_awrap_tool_call")]
        around = [one for wrapper in wrappers for one in wrapped_around(wrapper) if not passes_on(one)]
        if around:
            self.reading.wraps = reading_of(*around).digest
        for wrapper in wrappers:
            self.visit(wrapper)

    def _tool(self, name: str, tool: Any) -> None:
        self.reading.tools[name] = tool
        if _TOOLS_READ_NOW:  # tools know one another, by a list that each is put into: what calls them is read once
            self.reading.tool_readings.setdefault(name, SourceReading())
            for inner in _inside(tool):
                self.visit(inner)
            return
        _TOOLS_READ_NOW.append(name)
        try:
            reading = self.reading.tool_readings[name] = reading_of(*_inside(tool), state=self._state)
        finally:
            _TOOLS_READ_NOW.pop()
        self.reading.classes += reading.classes
        self.reading.modules |= reading.modules
        self.reading.named |= reading.named
        self.reading.reads_store |= reading.reads_store
        self.reading.is_dynamic |= reading.is_dynamic or not reading.is_whole

    def _class(self, target: type) -> None:
        """Read the methods of a class of the agent's, and what it holds."""
        self.reading.classes.append(target)
        self.reading.modules.add(target.__module__)
        for base in (*target.__mro__, *inspect.getmro(type(target))):
            if not is_ours(base):
                continue
            held = {
                name: value
                for name, value in vars(base).items()
                if not name.startswith("__") or name == "__match_args__"
            }
            held |= {name: probed(known, "default", None) for name, known in held.pop("model_fields", {}).items()}
            held |= {name: known.default for name, known in vars(base).get("__pydantic_fields__", {}).items()}
            values = {name: value for name, value in held.items() if not callable(value) and not _is_wrapped(value)}
            self._constants.note_class(base, values)
            self.reading.texts.append(f"class {_shape_of(base)}")
            for factory in _factories(base):
                self.visit(factory)
            self._members.add_own(base)

    def _library(self, target: Any) -> None:
        """Take down what a library's method asks, by its settings, and what it holds of the agent's."""
        if can_jump(target):
            self.reading.texts.append(settings_of(target))
        if (question := asks(target)) is not None:
            self.reading.calls.append(question)
            self.reading.texts.append(question)
        for held in held_by(target):
            self.visit(held)


def _held(target: Any, name: str) -> Any:
    """Return an attribute that something has; nothing of what it makes up when it is asked."""
    return getattr(target, name, None) if inspect.getattr_static(target, name, None) is not None else None


def _settings(target: Any) -> dict[str, Any]:
    """Return what a runnable is bound to hand on: the part of its config that nodes read, and its arguments."""
    config = _held(target, "config")
    configurable = config.get("configurable") if isinstance(config, dict) else None
    arguments = _held(target, "kwargs") if _held(target, "bound") is not None else None
    return {name: part for name, part in (("configurable", configurable), ("arguments", arguments)) if part}


def _shape_of(class_: type) -> list[str]:
    """Return the names in a class, in order, each with what it is: objects are made, and looked into, by them."""
    fields = [f"{name}: {hint}" for name, hint in vars(class_).get("__annotations__", {}).items()]
    decorated = [str(vars(class_)[name]) for name in ("__dataclass_params__",) if name in vars(class_)]
    kinds = [base for base in class_.__bases__ if issubclass(base, BaseException)]  # what it is caught by
    caught = [f"is a {base.__qualname__ if is_ours(base) else path_of(base)}" for base in kinds]
    held = sorted(name for name in vars(class_) if not name.startswith("_"))  # what objects are held against
    asked = held if vars(class_).get("_is_protocol") else []
    return [*fields, *decorated, *caught, *asked]


def _factories(class_: type) -> list[Any]:
    """Return the agent's functions that make the defaults of a class's fields."""
    fields = [
        *vars(class_).get("__dataclass_fields__", {}).values(),
        *vars(class_).get("__pydantic_fields__", {}).values(),
    ]
    factories = (probed(one, "default_factory", None) for one in fields)
    return [factory for factory in factories if inspect.isfunction(factory) and is_ours(factory)]


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
        if callable(function) or any(has(function, name) for name in ("func", "steps", "invoke"))
    ]
