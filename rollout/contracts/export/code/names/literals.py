"""Constants of which the value is written in the source: the value may as well stand where the constant is used."""

from __future__ import annotations

import ast
import enum
import inspect
import sys
from types import MemberDescriptorType, ModuleType

from rollout.contracts.export.code.names.changes import attributes_set, changes_of
from rollout.contracts.export.code.names.definitions import (
    definition_of,
    is_literal,
    is_rebound,
    statements_of,
    value_of,
)
from rollout.contracts.export.code.names.handed_on import is_handed_on
from rollout.contracts.export.code.names.ownership import is_ours
from rollout.contracts.export.code.names.probing import probed
from rollout.contracts.export.code.names.scope import Scope
from rollout.contracts.export.code.names.written import is_written

_PLAIN = (str, int, float, bool, type(None), MemberDescriptorType)
PARTS_MAX = 60
"""A longer table is told by its own statement."""


def literal_of(module: str, name: str) -> ast.expr | None:
    """Return what a name of a module is given, once and for all, where that is written there; else None."""
    at, its_name, statements = definition_of(module, name)
    if len(statements) != 1 or changes_of(at, its_name):
        return None
    match statements[0]:
        case (
            ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            is_told = is_literal(value) and _is_short(value) and _is_left_as_it_is(value, its_name, name)
            return value if is_told and _still_holds(value, at, its_name) else None
    return None


def literal_around(scope: Scope, name: str) -> ast.expr | None:
    """Return the value of a variable around a function, where it is written, and no function gives it another one."""
    held = scope.held_around(name)
    if not isinstance(held, str | int | float | bool) or isinstance(held, enum.Enum) or is_rebound(name):
        return None
    return ast.Constant(held) if is_written(held) else None


def literal_within(owner: object, name: str) -> ast.expr | None:
    """Return the value of a constant in a class, or of an object that cannot be changed, where that is written.

    Of an object only a plain value counts that stands in the source of one of the agent's modules.
    """
    if owner is None or isinstance(owner, ModuleType) or not is_ours(owner if isinstance(owner, type) else type(owner)):
        return None
    if isinstance(owner, type):
        if issubclass(owner, enum.Enum) or name in attributes_set():
            return None
        given = [one for base in owner.__mro__ if is_ours(base) for one in statements_of(base) if _gives(one, name)]
        value = getattr(given[0], "value", None) if len(given) == 1 else None
        if not isinstance(value, ast.expr) or not _is_left_as_it_is(value, name):
            return None
        return value if _is_constant(value, getattr(owner, name, None)) else None
    return _written_out(_held(owner, name)) if is_frozen(owner) or _is_left_alone(owner, name) else None


def _held(owner: object, name: str) -> object:
    """Return what an object holds under the name of a field; None where it is no field."""
    fields = getattr(type(owner), "__dataclass_fields__", getattr(type(owner), "_fields", ()))
    if name in fields:  # also where it has slots, or is a tuple
        return getattr(owner, name, None)
    return probed(owner, "__dict__", {}).get(name)


def _written_out(held: object) -> ast.expr | None:
    """Return a plain value, or a tuple of such, as it would be written; None where the source has none of it."""
    if type(held) is tuple:
        parts = [_written_out(part) for part in held]
        known = [part for part in parts if part is not None]
        return ast.Tuple(list(known), ast.Load()) if len(known) == len(parts) <= PARTS_MAX else None
    if isinstance(held, str | int | float | bool) and not isinstance(held, enum.Enum) and is_written(held):
        return ast.Constant(held)
    return None


def _is_left_as_it_is(value: ast.expr, *names: str) -> bool:
    """Whether a value stays what is written: one that can be changed must only be looked into, under all its names."""
    is_fixed = not any(isinstance(node, ast.List | ast.Dict | ast.Set) for node in ast.walk(value))
    return is_fixed or not any(map(is_handed_on, names))


def _gives(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=given)]) | ast.AnnAssign(target=ast.Name(id=given)):
            return given == name
    return False


def _is_constant(value: ast.expr, held: object) -> bool:
    try:
        return is_literal(value) and _is_short(value) and bool(value_of(value) == held)
    except Exception:  # noqa: BLE001  the agent's own comparison
        return False


def is_frozen(target: object) -> bool:
    """Whether an object cannot be changed: a named tuple, or of a frozen dataclass or model that works nothing out."""
    class_ = type(target)
    if isinstance(target, tuple) and hasattr(class_, "_fields"):
        return True
    parameters, settings = getattr(class_, "__dataclass_params__", None), getattr(class_, "model_config", None)
    frozen = getattr(parameters, "frozen", False) or (isinstance(settings, dict) and settings.get("frozen"))
    return bool(frozen) and not hasattr(class_, "__post_init__")


def _is_left_alone(target: object, name: str) -> bool:
    """Whether nothing in the agent's modules sets an attribute of such a name, but constructors of their own objects.

    Settings that are read from the environment are another matter: they are told by how they are made.
    """
    class_ = type(target)
    if any(base.__name__ == "BaseSettings" for base in class_.__mro__) or "__getattribute__" in vars(class_):
        return False
    return isinstance(inspect.getattr_static(class_, name, None), _PLAIN) and name not in attributes_set()


def _is_short(value: ast.expr) -> bool:
    return all(number < PARTS_MAX for number, _ in enumerate(ast.walk(value)))


def _still_holds(value: ast.expr, module: str, name: str) -> bool:
    """Whether the name stands for what is written: it may have been set in ways that cannot be read."""
    held = getattr(sys.modules.get(module), name, None)
    try:
        return bool(value_of(value) == held)
    except Exception:  # noqa: BLE001  the agent's own comparison
        return False
