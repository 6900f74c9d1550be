"""What libraries' code holds of the agent's: middleware with its settings, functions in closures, whom it asks.

Source: langchain 1.5 (`create_agent`, `HumanInTheLoopMiddleware`), langgraph-prebuilt 1.1 (`ToolNode`).
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import has, probed
from rollout.contracts.export.code.values import attributes_of, path_of

HELD_DEPTH = 3
PER_CALL = "per_call"


def approvals_of(target: Any, digest_of: Callable[[Any], str]) -> dict[str, dict[str, Any]]:
    """Return the tools that a middleware's method asks a human about, each with what decides whether and how.

    The words in which somebody is asked are left out: they change nothing for whoever waits.
    """
    owner = probed(target, "__self__", None)
    asked = probed(owner, "interrupt_on", None)
    at_each_call = "wrap_tool_call" in probed(target, "__name__", "")
    if not isinstance(asked, dict) or at_each_call != (probed(owner, "interrupt_mode", "") == PER_CALL):
        return {}
    approvals = {}
    for tool, setting in asked.items():
        known = setting if isinstance(setting, dict) else {}
        condition = known.get("when")
        decisions = sorted(map(str, known.get("allowed_decisions") or ()))
        when = None if condition is None else digest_of(condition)
        approvals[str(tool)] = {"decisions": decisions, "when": when}
    return approvals


def asks(target: Any) -> str | None:
    """Return a text for a library's method that asks people, with a digest of the settings it goes by; else None."""
    owner = probed(target, "__self__", None)
    if owner is None or isinstance(probed(owner, "interrupt_on", None), dict):
        return None
    try:
        if "interrupt(" not in inspect.getsource(target):
            return None
    except (OSError, TypeError):
        return None
    return settings_of(target)


def settings_of(method: Any) -> str:
    """Return a text for a library's method, with a digest of the settings it goes by: they may be secrets."""
    settings = f"{path_of(method)} {attributes_of(getattr(method, '__self__', None))}"
    return f"{path_of(method)} {hashlib.sha256(settings.encode(errors='replace')).hexdigest()[:16]}"


def can_jump(target: Any) -> bool:
    """Whether a middleware's hook may send the run elsewhere, most often to its end: a limit, a filter."""
    return bool(probed(target, "__can_jump_to__", None))


def held_by(function: Any) -> list[Any]:
    """Return functions and graphs that a library's function has in its closure: the agent's may be among them.

    Tools are not: there they are told to a model, and called elsewhere.
    """
    plain = probed(function, "__func__", function)
    held: list[Any] = []
    for cell in probed(plain, "__closure__", None) or ():
        try:
            _look_into(cell.cell_contents, held, HELD_DEPTH)
        except ValueError:  # not filled yet
            continue
    return held


def wrapped_around(function: Any, depth: int = HELD_DEPTH) -> list[Any]:
    """Return the agent's functions that a library has wrapped around calls."""
    if inspect.isroutine(function) and is_ours(function):
        return [function]
    held = held_by(function) if function is not None and depth else []
    return [inner for one in held for inner in wrapped_around(one, depth - 1)]


def parts_of(target: Any) -> list[Any]:
    """Return what a runnable that is composed of others is made of, in order: branches, fallbacks, parallel steps."""
    module = str(getattr(type(target), "__module__", ""))
    held = probed(target, "__dict__", {})
    is_single = "func" in held or "afunc" in held or inspect.getattr_static(target, "steps", None) is not None
    if not module.startswith("langchain_core.runnables") or is_single:
        return []
    parts: list[Any] = []
    for value in held.values():
        _parts_in(value, parts, HELD_DEPTH)
    return parts


def _parts_in(value: Any, parts: list[Any], depth: int) -> None:
    if isinstance(value, dict | list | tuple) and depth:
        for part in value.values() if isinstance(value, dict) else value:
            _parts_in(part, parts, depth - 1)
    elif callable(value) or callable(probed(value, "invoke", None)):
        parts.append(value)


def _look_into(value: Any, held: list[Any], depth: int) -> None:
    if isinstance(value, dict | list | tuple) and depth:
        for part in value.values() if isinstance(value, dict) else value:
            _look_into(part, held, depth - 1)
    elif hasattr(type(value), "get_subgraphs") or inspect.isroutine(value) or isinstance(value, functools.partial):
        held.append(value)


def is_asking(value: Any) -> bool:
    """Whether something is what asks people, or stops a run for them, in LangGraph."""
    name, module = probed(value, "__name__", ""), str(probed(value, "__module__", ""))
    return name in ("interrupt", "GraphInterrupt", "NodeInterrupt") and module.startswith("langgraph")


def wraps_functions(value: Any) -> bool:
    """Whether something is a tool or a runnable of a library's, made of functions: whoever invokes it calls those."""
    if inspect.isclass(value) or inspect.isroutine(value) or not hasattr(type(value), "invoke"):
        return False
    held = probed(value, "__dict__", {})
    return is_tool(value) or any(callable(held.get(name)) for name in ("func", "afunc", "coroutine"))


def is_tool(value: Any) -> bool:
    """Whether something is a tool, as langchain-core makes them."""
    return not inspect.isclass(value) and has(value, "args_schema") and isinstance(probed(value, "name", None), str)
