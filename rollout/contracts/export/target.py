"""`package.module:attribute`: find it, and say what it is."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from rollout.causes import why
from rollout.contracts.contract import VERSION, Contract, load, read
from rollout.contracts.export.classes import checks_of, class_contract
from rollout.contracts.export.hints import kind_of, modern
from rollout.contracts.export.langgraph import graph_contract, is_graph
from rollout.contracts.export.models import schema_of
from rollout.contracts.export.unseen import extra_of, unseen_of
from rollout.errors import Fault, InvalidInput


def load_target(target: str) -> Any:
    """Import what `package.module:attribute` names; a path that ends in .json is read. Raises InvalidInput."""
    if target.endswith(".json"):
        try:
            return load(Path(target).read_text(encoding="utf-8"), target)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput([Fault(target, f"cannot be read: {why(error)}", "check the path")]) from error
    name, _, attribute = target.partition(":")
    if not name or not attribute:
        remedy = "write package.module:attribute, such as agent.graph:graph, or a .json file"
        raise InvalidInput([Fault("TARGET", "names nothing", remedy, target)])
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  as python -m does
    try:
        named: Any = importlib.import_module(name)
        for step in attribute.split("."):
            named = getattr(named, step)
    except Exception as error:
        remedy = "run this where the agent's code and all it needs is installed"
        problem = f"cannot be imported: {summary_of(error)}"
        raise InvalidInput([Fault(target, problem, remedy)]) from error
    finally:
        sys.path.remove(os.getcwd())  # noqa: PTH109
    return named


def summary_of(error: Exception) -> str:
    """Return what an error of the agent's own code is: what is missing, or where it was raised.

    Not its text: settings that are checked at import (pydantic's, say) quote the values of the environment.
    """
    if isinstance(error, ImportError | AttributeError) and error.name:
        return f"{type(error).__name__}: there is no {error.name}"
    frames = traceback.extract_tb(error.__traceback__)
    at = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{at}"


def export(target: Any, *, agent: str = "", version: str = "", store: str = "") -> Contract:
    """Return the contract of a compiled graph, a function that makes one, a model, a type, or a JSON Schema.

    Raises InvalidInput for anything else.

    Args:
        store: what the agent keeps its state in (postgres, sqlite, redis), where the graph does not tell.
    """
    if inspect.isfunction(target) and not inspect.signature(target).parameters:
        target = target()
    if not is_graph(target) and hasattr(target, "compile") and hasattr(target, "add_node"):
        target = target.compile()
    contract: dict[str, Any] = {"contractVersion": VERSION, "agent": agent, "version": version}
    if is_graph(target):
        try:
            contract |= graph_contract(target)
        except Exception as error:
            remedy = "if it runs, please report it: a contract can be written by hand meanwhile (docs/state.md)"
            problem = f"cannot be exported: {summary_of(error)}"
            raise InvalidInput([Fault("TARGET", problem, remedy)]) from error
    elif isinstance(target, dict | bool):
        contract["state"] = {"kind": "other", "writer": target, "reader": target}
    elif isinstance(target, TypeAdapter) or (inspect.isclass(target) and _is_type(target)):
        contract |= _type_contract(target)
    else:
        remedy = "name a compiled graph, a pydantic model, a dataclass, a TypedDict, or a JSON Schema"
        raise InvalidInput([Fault("TARGET", f"is a {type(target).__name__}, of which no contract is known", remedy)])
    if store:
        contract["store"] = {**contract.get("store", {}), "kind": store}
    return read(json.dumps(contract, default=float), "the export")


def _is_type(target: type) -> bool:
    return issubclass(target, BaseModel) or kind_of(target) != "other"


def _type_contract(target: Any) -> dict[str, Any]:
    type_ = target._type if isinstance(target, TypeAdapter) else target  # noqa: SLF001  it has no public name
    writer, classes = schema_of(type_, "serialization")
    reader, _ = schema_of(type_, "validation")
    others = {path: class_ for path, class_ in classes.items() if class_[1] is not type_}
    adapter: TypeAdapter[Any] = target if isinstance(target, TypeAdapter) else TypeAdapter(modern(type_))
    state = {"writer": writer, "reader": reader, "checks": checks_of(type_), "unseen": unseen_of(adapter.core_schema)}
    state["extra"] = extra_of(adapter.core_schema)
    return {
        "state": {"kind": kind_of(type_), **state},
        "framework": {"name": "none"},
        "classes": {path: class_contract(*class_, for_store=False) for path, class_ in sorted(others.items())},
    }
