"""Whose code something is: the agent's own, which is read, or a library's, which is not."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import sysconfig
from types import ModuleType
from typing import Any

from rollout.contracts.export.code.names.probing import probed

LIBRARIES = frozenset(
    {"langgraph", "langchain", "langchain_core", "deepagents", "pydantic", "pydantic_core", "typing_extensions"}
)
_PYTHON = tuple(sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib"))
_INSTALLED = ("/site-packages/", "/dist-packages/", "\\site-packages\\")


def is_ours(target: Any) -> bool:
    """Whether something is of the agent, not of Python or a library."""
    return is_own_module(str(probed(target, "__module__", "") or type(target).__module__))


def own_modules() -> tuple[ModuleType, ...]:
    """Return the agent's modules that are loaded, by their names in order."""
    return tuple(sys.modules[name] for name in sorted(sys.modules) if is_own_module(name) and _is_loaded(name))


def _is_loaded(name: str) -> bool:
    """Whether it is a module; Python allows anything there."""
    return isinstance(sys.modules[name], ModuleType)


@functools.lru_cache(maxsize=4096)
def is_own_module(name: str) -> bool:
    """Whether a module is the agent's: its own files, or an installed package that knows LangGraph, as agents do."""
    if name == "__main__":  # started by `-m`: the exporter's own process is no code of the agent's
        name = str(getattr(getattr(sys.modules.get(name), "__spec__", None), "name", name))
    top = name.partition(".")[0]
    if top == "rollout":
        return name.startswith("rollout.demo.")
    if not top or top in sys.stdlib_module_names or top in LIBRARIES or top.startswith(("langchain_", "langgraph_")):
        return False
    module = sys.modules.get(name)
    file = str(getattr(module, "__file__", None) or "")
    if not any(place in file for place in _INSTALLED):
        return not file.startswith(_PYTHON)
    try:
        return "langgraph" in inspect.getsource(module) if module is not None else False
    except (OSError, TypeError):
        return False
