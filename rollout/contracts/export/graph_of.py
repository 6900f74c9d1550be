"""The graph that a target stands for: itself, what a function makes, or what an object or a module holds."""

from __future__ import annotations

import asyncio
import functools
import inspect
from types import ModuleType
from typing import Any

from rollout.contracts.export.import_faults import import_fault
from rollout.errors import Fault, InvalidInput

DEPTH_MAX = 5
MAKING_TIMEOUT_S = 60.0
CONFIG: dict[str, Any] = {"configurable": {}}
_MAKERS = ("graph", "build", "compile", "workflow", "app")
"""What the names of methods that make a graph have in them."""


def is_graph(target: Any) -> bool:
    """Whether a target is a compiled graph, or an entrypoint."""
    return all(
        hasattr(type(target), name) or name in vars_of(target) for name in ("channels", "nodes", "get_subgraphs")
    )


def is_builder(target: Any) -> bool:
    """Whether a target is a graph that is not compiled yet."""
    return not inspect.isclass(target) and all(hasattr(type(target), name) for name in ("add_node", "compile"))


def vars_of(target: Any) -> dict[str, Any]:
    """Return what an object itself holds; nothing of what it makes up when it is asked."""
    try:
        return dict(vars(target))
    except TypeError:
        return {}


def graph_of(target: Any, name: str) -> Any:
    """Return a compiled graph for a target; the target itself where it is something else. Raises InvalidInput.

    Args:
        name: of the target, for messages.
    """
    for _ in range(DEPTH_MAX):
        if is_graph(target):
            return target
        if is_builder(target):
            return _run(target.compile, name)
        inner = _step(target, name)
        if inner is target:
            return target
        target = inner
    return target


def _step(target: Any, name: str) -> Any:
    """Return what a target is made of, or makes."""
    if isinstance(target, ModuleType):
        return _only(target, vars(target), name)
    if inspect.isclass(target):
        held = _only(target, vars_of(target), name)
        return _called(target, name) if held is target else held
    if (bound := vars_of(target).get("bound")) is not None:  # with_config
        return bound
    if inspect.isawaitable(target):
        return _run(lambda: target, name)
    if inspect.isroutine(target) or isinstance(target, functools.partial):
        return _called(target, name)
    if hasattr(type(target), "__aenter__") or hasattr(type(target), "__enter__"):
        return _run(lambda: _entered(target), name)
    return _held(target, name)


def _only(holder: Any, members: dict[str, Any], name: str) -> Any:
    """Return the one graph that something holds. Raises InvalidInput where there are several, or none."""
    graphs = {key: value for key, value in members.items() if is_graph(value) or is_builder(value)}
    compiled = {key: value for key, value in graphs.items() if is_graph(value)} or graphs
    if len({id(value) for value in compiled.values()}) == 1:
        return next(iter(compiled.values()))
    if isinstance(holder, ModuleType):
        problem = "has several graphs" if compiled else "has no graph"
        makers = sorted(
            key for key, value in members.items() if inspect.isfunction(value) and value.__module__ == holder.__name__
        )
        choice = sorted(compiled) or [key for key in makers if any(marker in key for marker in _MAKERS)] or makers
        remedy = f"name one: {', '.join(f'{name}:{key}' for key in choice[:10])}" if choice else "name what it is in"
        raise InvalidInput([Fault(name, problem, remedy)])
    return holder


def _held(target: Any, name: str) -> Any:
    """Return the graph that an object holds, or one of its methods makes; else the object."""
    held = _only(target, vars_of(target), name)
    if held is not target:
        return held
    methods = [key for key in dir(type(target)) if not key.startswith("_") and any(marker in key for marker in _MAKERS)]
    for key in sorted(methods, key=lambda key: ("graph" not in key, key)):
        static = inspect.getattr_static(type(target), key)
        if isinstance(static, property):
            return _run(lambda: getattr(target, key), name)  # noqa: B023  it is called at once
        if inspect.isfunction(static) and not _required(static)[1:]:
            return _called(getattr(target, key), name)
    return target


def _required(function: Any) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one for one in parameters if one.default is one.empty and one.kind not in optional]


def _called(function: Any, name: str) -> Any:
    """Return what a function makes; it may want a config, as those of the LangGraph server do. Raises InvalidInput."""
    required = _required(function)
    if len(required) > 1 or (required and not _is_config(required[0])):
        wanted = ", ".join(parameter.name for parameter in required)
        remedy = "name a function that needs nothing, or a config; or a graph"
        raise InvalidInput([Fault(name, f"needs {wanted} to make a graph", remedy)])
    if required and required[0].kind is inspect.Parameter.KEYWORD_ONLY:
        return _run(lambda: function(**{required[0].name: CONFIG}), name)
    return _run(lambda: function(*([CONFIG] if required else [])), name)


def _is_config(parameter: inspect.Parameter) -> bool:
    annotation = str(parameter.annotation)
    return "config" in parameter.name.lower() or "Config" in annotation or "dict" in annotation


def _run(make: Any, name: str) -> Any:
    """Call the agent's code, and wait for what it makes. Raises InvalidInput for whatever it raises."""
    try:
        return _awaited(make())
    except InvalidInput:
        raise
    except BaseException as error:
        raise InvalidInput([import_fault(name, error, doing="made")]) from error


def _awaited(value: Any) -> Any:
    if inspect.isawaitable(value):

        async def waited() -> Any:
            return await asyncio.wait_for(value, MAKING_TIMEOUT_S)

        return asyncio.run(waited())
    return value


def _entered(manager: Any) -> Any:
    """Return what a context manager yields; it is not left, since the graph may need what it opened."""
    if not hasattr(type(manager), "__aenter__"):
        return manager.__enter__()

    async def entered() -> Any:
        return await asyncio.wait_for(manager.__aenter__(), MAKING_TIMEOUT_S)

    return asyncio.run(entered())
