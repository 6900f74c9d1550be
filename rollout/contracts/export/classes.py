"""Classes that stores keep by their path: what they are, what makes them, and what of it JSON Schema does not show."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import sys
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import rebuild_dataclass
from typing_extensions import is_typeddict

from rollout.contracts.export.code.names.ownership import is_ours, is_own_module
from rollout.contracts.export.code.reading import SourceReading
from rollout.contracts.export.code.source import reading_of
from rollout.contracts.export.hints import classes_within, hints_of, is_named_tuple, kind_of, modern
from rollout.contracts.export.models import LIBRARIES, schema_of
from rollout.contracts.export.unseen import WHOLE, extra_of, unseen_of

MODULES_MAX = 500
CLASSES_MAX = 300

_HOOKS = (
    "__post_init__", "model_post_init", "__init__", "__new__", "_missing_", "model_dump", "dict", "_asdict",
    "model_dump_json", "model_validate", "model_validate_json",
)  # fmt: skip
"""What is run when an object is made of what was stored, or is taken apart to be stored."""


def class_contract(kind: str, class_: Any, *, for_store: bool = True) -> dict[str, Any]:
    """Return what a contract says of a class."""
    features = features_of(class_, for_store=for_store)
    return {"kind": kind, "checks": checks_of(class_), **features, "members": _members(class_)}


def checks_of(class_: Any) -> str | None:
    """Return a digest of the agent's own code that is run when an object of a class is made, or taken apart."""
    if not inspect.isclass(class_):
        return None
    hooks = [
        vars(base)[name]
        for base in class_.__mro__
        if is_ours(base)
        for name in _HOOKS
        if name in vars(base) and _is_written(vars(base)[name])
    ]
    return reading_of(*(getattr(hook, "__func__", hook) for hook in hooks), owner=class_).digest if hooks else None


def features_of(class_: Any, *, for_store: bool = True) -> dict[str, Any]:
    """Return what JSON Schema does not show of a model, by field."""
    core = _built(class_)
    if is_named_tuple(class_) and not for_store:
        return {"unseen": {WHOLE: f"in order: {', '.join(class_._fields)}"}}
    if not isinstance(core, dict) and (dataclasses.is_dataclass(class_) or is_typeddict(class_)) and not for_store:
        core = _core_of(class_)
    if not isinstance(core, dict):
        return {}
    return {"unseen": unseen_of(core, for_store=for_store), "extra": extra_of(core)}


def _built(class_: Any) -> Any:
    """Return a class's core schema; one that waits for a class below it is built now."""
    core = getattr(class_, "__pydantic_core_schema__", None)
    if core is not None and not isinstance(core, dict):
        with contextlib.suppress(Exception):  # whatever a type of the agent's does when it is looked at
            class_.model_rebuild() if hasattr(class_, "model_rebuild") else rebuild_dataclass(class_)
        core = getattr(class_, "__pydantic_core_schema__", None)
    return core


def _core_of(class_: Any) -> Any:
    try:
        return TypeAdapter(modern(class_)).core_schema
    except Exception:  # noqa: BLE001  whatever a type of the agent's does when it is looked at
        return None


def _is_written(hook: Any) -> bool:
    """Whether a function stands in the agent's source; those of dataclasses and pydantic are made."""
    function = getattr(hook, "__func__", hook)
    return inspect.isfunction(function) and not function.__code__.co_filename.startswith("<") and is_ours(function)


def _members(class_: Any) -> dict[str, str]:
    """Return the values of an enum, by name: stores keep the value."""
    if not (inspect.isclass(class_) and issubclass(class_, Enum)):
        return {}
    return {name: repr(member.value) for name, member in class_.__members__.items()}


@dataclass
class Gathered:
    """Classes that are met while a graph is exported.

    Attributes:
        annotated: in keys of the state, by path, with their kinds.
        named: in code, so that objects of theirs may be made there.
        modules: those in which all of it stands.
        is_whole: whether all code could be read.
    """

    annotated: dict[str, tuple[str, Any]] = field(default_factory=dict)
    named: list[type] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    is_whole: bool = True

    def add(self, state: Any, *readings: SourceReading) -> None:
        """Take in a graph's state, and what was read of its nodes."""
        self.modules |= {str(getattr(state, "__module__", ""))}
        for reading in readings:
            self.named += reading.classes
            self.modules |= reading.modules
            self.is_whole &= reading.is_whole and not reading.is_dynamic

    def paths_made(self) -> set[str]:
        """Return the paths of classes of which the code may make objects: those it names, and those in their fields."""
        pending, paths = list(self.named), set[str]()
        while pending:
            class_ = pending.pop()
            path = f"{class_.__module__}.{class_.__name__}"
            if path not in paths:
                paths.add(path)
                pending += [inner for hint in hints_of(class_).values() for inner in classes_within(hint)]
        return paths


def own_classes(gathered: Gathered) -> dict[str, dict[str, Any]]:
    """Return the classes in the agent's modules that can be stored, by every path at which they are found.

    What is annotated nowhere may be kept all the same, so their forms are told too.
    """
    paths = gathered.paths_made()
    classes: dict[str, dict[str, Any]] = {}
    for module in sorted(_reached(gathered.modules)):
        for name, class_ in sorted(vars(sys.modules[module]).items()):
            kind, path = _stored_as(class_), f"{module}.{name}"
            if kind and len(classes) < CLASSES_MAX:
                is_made = not gathered.is_whole or path in paths
                classes[path] = _own_class(path, kind, class_, is_made=is_made)
    return classes


def _own_class(path: str, kind: str, class_: Any, *, is_made: bool) -> dict[str, Any]:
    written = f"{class_.__module__}.{class_.__name__}"
    if path != written:
        return {"kind": kind, "alias": written, "isMade": False}
    if not is_made:  # it can be found, and that is all that counts
        return {"kind": kind, "isMade": False}
    bases = [f"{base.__module__}.{base.__name__}" for base in class_.__mro__[1:-1]]
    writer, reader = (schema_of(class_, mode, for_store=True)[0] for mode in ("serialization", "validation"))
    return {**class_contract(kind, class_), "bases": bases, "writer": writer, "reader": reader}


def _stored_as(class_: Any) -> str:
    """Return how a store keeps objects of a class of the agent's; nothing where it is none."""
    if not inspect.isclass(class_) or not is_ours(class_) or class_.__module__.startswith((*LIBRARIES, "pydantic")):
        return ""
    kind = "enum" if issubclass(class_, Enum) else "namedtuple" if is_named_tuple(class_) else kind_of(class_)
    return "" if kind in ("typeddict", "other") else kind


def _reached(start: set[str]) -> set[str]:
    """Return the agent's modules that some of its modules name anything of."""
    seen: set[str] = set()
    pending = sorted(name for name in start if name in sys.modules and is_own_module(name))
    while pending and len(seen) < MODULES_MAX:
        module = pending.pop()
        if module in seen:
            continue
        seen.add(module)
        for value in list(vars(sys.modules[module]).values()):
            name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(name, str) and name in sys.modules and name not in seen and is_own_module(name):
                pending.append(name)
    return seen
