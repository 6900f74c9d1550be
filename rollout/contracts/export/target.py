"""A target, as a contract: a graph, a model, a type, or a JSON Schema."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from rollout.causes import why
from rollout.contracts.contract import VERSION, Contract
from rollout.contracts.contract_text import load, read
from rollout.contracts.export.classes import checks_of, class_contract
from rollout.contracts.export.code.values import text_of
from rollout.contracts.export.graph_of import graph_of, is_graph
from rollout.contracts.export.hints import kind_of, modern
from rollout.contracts.export.import_faults import summary_of, undefined_fault
from rollout.contracts.export.langgraph import graph_contract
from rollout.contracts.export.locate import LANGGRAPH, located
from rollout.contracts.export.models import schema_of
from rollout.contracts.export.unseen import WHOLE, extra_of, unseen_of
from rollout.errors import Fault, InvalidInput


def load_target(target: str) -> Any:
    """Import what `package.module:attribute` names; a path that ends in .json is read. Raises InvalidInput."""
    return read_json(target) if target.endswith(".json") and Path(target).name != LANGGRAPH else located(target).value


def read_json(path: str) -> Any:
    """Read a JSON Schema from a file. Raises InvalidInput."""
    try:
        return load(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput([Fault(path, f"cannot be read: {why(error)}", "check the path")]) from error


def export(
    target: Any,
    *,
    agent: str = "",
    version: str = "",
    store: str = "",
    name: str = "TARGET",
    source: dict[str, Any] | None = None,
) -> Contract:
    """Return the contract of a graph, of what makes or holds one, of a model, a type, or a JSON Schema.

    Raises InvalidInput for anything else.

    Args:
        store: what the agent keeps its state in (postgres, sqlite, redis), where the graph does not tell.
        name: of the target, for messages.
        source: where its code was found.
    """
    contract: dict[str, Any] = {"contractVersion": VERSION, "agent": agent, "version": version, "source": source}
    if isinstance(target, dict | bool):
        contract["state"] = {"kind": "other", "writer": target, "reader": target}
    elif isinstance(target, TypeAdapter) or (inspect.isclass(target) and _is_type(target)):
        contract |= _described(_type_contract, target, name)
    else:
        target = graph_of(target, name)
        if not is_graph(target):
            remedy = "name a compiled graph, a pydantic model, a dataclass, a TypedDict, or a JSON Schema"
            problem = f"is a {type(target).__name__}, of which no contract is known"
            raise InvalidInput([Fault(name, problem, remedy)])
        contract |= _described(graph_contract, target, name)
    if store:
        contract["store"] = {**contract.get("store", {}), "kind": store}
    try:
        return read(json.dumps(contract, default=float), "the export")
    except InvalidInput as error:
        problem = "; ".join(fault.message for fault in error.faults)
        raise InvalidInput([Fault(name, f"cannot be told in a contract: {problem}", "leave that out")]) from error


def _described(tell: Callable[[Any], dict[str, Any]], target: Any, name: str) -> dict[str, Any]:
    """Return what there is to tell of a target. Raises InvalidInput where its code fails on being looked at."""
    try:
        return tell(target)
    except Exception as error:
        if (fault := undefined_fault(name, target, error)) is not None:
            raise InvalidInput([fault]) from error
        remedy = "if it runs, please report it: a contract can be written by hand meanwhile (docs/state-reference.md)"
        raise InvalidInput([Fault(name, f"cannot be exported: {summary_of(error)}", remedy)]) from error


def _is_type(target: type) -> bool:
    return issubclass(target, BaseModel) or kind_of(target) != "other"


def _type_contract(target: Any) -> dict[str, Any]:
    type_ = target._type if isinstance(target, TypeAdapter) else target  # noqa: SLF001  it has no public name
    writer, classes = schema_of(type_, "serialization")
    reader, _ = schema_of(type_, "validation")
    others = {path: class_ for path, class_ in classes.items() if class_[1] is not type_ or class_[0] == "enum"}
    adapter: TypeAdapter[Any] = target if isinstance(target, TypeAdapter) else TypeAdapter(modern(type_))
    unseen = unseen_of(adapter.core_schema)
    if settings := getattr(adapter, "_config", None):
        unseen[WHOLE] += f"; config {text_of(dict(sorted(settings.items())))}"
    state = {"writer": writer, "reader": reader, "checks": checks_of(type_), "unseen": unseen}
    state["extra"] = extra_of(adapter.core_schema)
    return {
        "state": {"kind": kind_of(type_), **state},
        "framework": {"name": "none"},
        "classes": {path: class_contract(*class_, for_store=False) for path, class_ in sorted(others.items())},
    }
