"""Single values against schemas: here jsonschema decides. Whatever it cannot decide is None, never a guess."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rollout.contracts.schema.automaton import Undecidable
from rollout.contracts.schema.document import SchemaNode, plain
from rollout.contracts.schema.keywords import is_too_deep
from rollout.contracts.schema.patterns import TEXT_MAX
from rollout.contracts.schema.validator import says, validator_of


def distinct(values: Iterable[Any], among: Iterable[Any] | None = None) -> list[Any]:
    """Return values once each, in order; only those that are `among` others, where given."""
    allowed = None if among is None else {plain(candidate) for candidate in among}
    kept: dict[Any, Any] = {}
    for value in values:
        likeness = plain(value)
        if allowed is None or likeness in allowed:
            kept.setdefault(likeness, value)
    return list(kept.values())


def holds(node: SchemaNode, value: Any) -> bool | None:
    """Whether a schema accepts a value; None where that cannot be told: foreign references, patterns, formats."""
    if isinstance(node.schema, bool):
        return node.schema
    if not is_bearable(value):
        return None
    without = _valid(node, value, formats=False)
    if without is None or not says(node.document, "format"):
        return without
    return without if _valid(node, value, formats=True) is without else None


def _valid(node: SchemaNode, value: Any, *, formats: bool) -> bool | None:
    import jsonschema.exceptions as failures  # noqa: PLC0415  it takes a moment, and most comparisons need none of it
    import referencing.exceptions  # noqa: PLC0415

    try:
        return bool(validator_of(node, formats=formats).is_valid(value))
    except (failures.SchemaError, failures.UnknownType, referencing.exceptions.Unresolvable, Undecidable):
        return None
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError):
        return None  # a schema that is not well formed there
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of a library in Rust that ran out of stack
            return None
        raise


VALUE_SIZE_MAX = 5000
VALUE_DEPTH_MAX = 40


def is_bearable(value: Any) -> bool:
    """Whether a value is small enough to be looked at."""
    if isinstance(value, str):
        return len(value) <= TEXT_MAX
    if not isinstance(value, dict | list):
        return True
    count = 0
    pending: list[Any] = [value]
    while pending:
        part = pending.pop()
        count += 1
        if count > VALUE_SIZE_MAX or (isinstance(part, str) and len(part) > TEXT_MAX):
            return False
        pending += [*part.values(), *part] if isinstance(part, dict) else part if isinstance(part, list) else ()
    return not is_too_deep(value, VALUE_DEPTH_MAX)
