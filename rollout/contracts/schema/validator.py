"""jsonschema's validators, made bearable: nothing is fetched, no pattern runs away, no number is rounded."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rollout.contracts.schema.automaton import Undecidable
from rollout.contracts.schema.document import SchemaDocument, SchemaNode
from rollout.contracts.schema.keywords import Dialect, subschemas
from rollout.contracts.schema.patterns import matches

_NAME = "urn:rollout:schema"


def validator_of(node: SchemaNode, *, formats: bool) -> Any:
    """Return jsonschema's validator of one subschema. Nothing is fetched: the registry knows this document only."""
    import jsonschema  # noqa: PLC0415
    import referencing  # noqa: PLC0415
    from referencing import jsonschema as dialects  # noqa: PLC0415

    document = node.document
    key = ("validator", formats)
    if document.dialect is Dialect.UNKNOWN or node.is_doubtful:
        raise Undecidable
    drafts = {
        Dialect.DRAFT4: (jsonschema.Draft4Validator, dialects.DRAFT4),
        Dialect.DRAFT6: (jsonschema.Draft6Validator, dialects.DRAFT6),
        Dialect.DRAFT7: (jsonschema.Draft7Validator, dialects.DRAFT7),
        Dialect.UNSAID_OLD: (jsonschema.Draft7Validator, dialects.DRAFT7),
        Dialect.DRAFT2019: (jsonschema.Draft201909Validator, dialects.DRAFT201909),
    }
    if key not in document.memory:
        base, specification = drafts.get(document.dialect, (jsonschema.Draft202012Validator, dialects.DRAFT202012))
        resource: Any = specification.create_resource(document.root)
        registry: Any = referencing.Registry().with_resource(_NAME, resource)
        effort = Effort()
        extend: Any = jsonschema.validators.extend
        validator = extend(base, _keywords(base, effort, formats=formats))
        validator.evolve = _evolve
        document.memory[key] = (validator, registry, effort)
    validator, registry, effort = document.memory[key]
    effort.begin()
    return validator({"$ref": f"{_NAME}#{_quoted(node.pointer)}"}, registry=registry)


def _evolve(validator: Any, **changes: Any) -> Any:
    """Return a validator for another schema, of the same class: the library would go by `$schema`, and forget ours."""
    for field in validator.__attrs_attrs__:
        if field.init:
            changes.setdefault(field.alias, getattr(validator, field.name))
    return type(validator)(**changes)


def _quoted(pointer: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415

    return quote(pointer, safe="/~")


def says(document: SchemaDocument, keyword: str) -> bool:
    """Whether a keyword is used anywhere in a document."""
    memory = document.memory
    if keyword not in memory:
        every = subschemas(document.root)
        memory[keyword] = any(keyword in name for _, name in every if isinstance(name, dict))
    return bool(memory[keyword])


class Effort:
    """Bounds how deep references are followed, and how often: a small schema can ask for endless work."""

    DEEP, OFTEN, ALTOGETHER = 25, 20_000, 400_000

    def __init__(self) -> None:
        self._under_way: list[tuple[str, int]] = []
        self._count = self._sum = 0

    def begin(self) -> None:
        self._under_way.clear()
        self._sum += self._count
        self._count = 0

    def spend(self, steps: int) -> None:
        """Count some work. Raises Undecidable where it becomes too much."""
        self._count += steps
        if self._count > self.OFTEN or self._sum > self.ALTOGETHER:
            raise Undecidable

    @contextmanager
    def following(self, reference: str, value: Any) -> Iterator[None]:
        """Follow a reference for a value. Raises Undecidable where it leads back to itself, or too deep."""
        step = (reference, id(value))
        self.spend(1)
        if step in self._under_way[-2:] or len(self._under_way) >= self.DEEP:
            raise Undecidable
        self._under_way.append(step)
        try:
            yield
        finally:
            if self._under_way:
                self._under_way.pop()


def _keywords(base: Any, effort: Effort, *, formats: bool) -> dict[str, Any]:
    """Return our own rendering of the keywords that could take endless, or compute with rounded numbers."""
    import jsonschema  # noqa: PLC0415

    failed = jsonschema.ValidationError

    def pattern(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[Any]:
        if isinstance(value, str) and not matches(wanted, value):
            yield failed("pattern")

    def pattern_properties(validator: Any, patterns: Any, value: Any, __: Any) -> Iterator[Any]:
        for pattern, schema in patterns.items() if isinstance(value, dict) else ():
            for key, member in value.items():
                if matches(pattern, key):
                    yield from validator.descend(member, schema, path=key, schema_path=pattern)

    def additional_properties(validator: Any, schema: Any, value: Any, whole: Any) -> Iterator[Any]:
        names, patterns = whole.get("properties", {}), whole.get("patternProperties", {})
        for key, member in value.items() if isinstance(value, dict) else ():
            if key not in names and True not in {matches(pattern, key) for pattern in patterns}:
                yield from validator.descend(member, schema, path=key)

    def multiple_of(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[Any]:
        number, divisor = fraction(value), fraction(wanted)
        if number is not None and divisor and number % divisor:
            yield failed("multipleOf")

    def format_(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[Any]:
        if isinstance(value, str) and not is_of_format(wanted, value):
            yield failed("format")

    def followed(keyword: str) -> Callable[..., Iterator[Any]]:
        def follow(validator: Any, wanted: Any, value: Any, whole: Any) -> Iterator[Any]:
            with effort.following(wanted, value):
                yield from base.VALIDATORS[keyword](validator, wanted, value, whole)

        return follow

    def counted(keyword: str) -> Callable[..., Iterator[Any]]:
        def count(validator: Any, branches: Any, value: Any, whole: Any) -> Iterator[Any]:
            effort.spend(len(branches))
            yield from base.VALIDATORS[keyword](validator, branches, value, whole)

        return count

    keywords = {
        **{key: counted(key) for key in ("allOf", "anyOf", "oneOf", "enum")},
        **{key: followed(key) for key in ("$ref", "$dynamicRef", "$recursiveRef") if key in base.VALIDATORS},
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "additionalProperties": additional_properties,
        "multipleOf": multiple_of,
    }
    return {**keywords, "format": format_} if formats else keywords


def is_of_format(name: Any, text: str) -> bool:
    """Whether a text is of a format. Raises Undecidable for formats that are not told exactly here."""
    check = _FORMATS.get(name)
    if check is None:
        raise Undecidable
    try:
        check(text)
    except ValueError:
        return False
    return True


def _date_time(text: str) -> None:
    if "T" not in text or dt.datetime.fromisoformat(text).tzinfo is None:
        raise ValueError


_FORMATS: dict[Any, Callable[[str], Any]] = {
    "date": dt.date.fromisoformat,
    "date-time": _date_time,
    "uuid": uuid.UUID,
}


def fraction(value: Any) -> Fraction | None:
    """Return a JSON number exactly as it was written; None for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)
