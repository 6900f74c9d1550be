"""What schemas that all hold at once say of numbers, texts, arrays and objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rollout.contracts.schema.atoms import Array, Counted, Items, Members, Number, Object, Text, Value
from rollout.contracts.schema.document import SchemaNode
from rollout.contracts.schema.evaluated import left_over
from rollout.contracts.schema.keywords import Dialect
from rollout.contracts.schema.validator import fraction


def in_order(nodes: Iterable[SchemaNode]) -> list[SchemaNode]:
    """Return schemas in an order that does not change from run to run."""
    return sorted(nodes, key=lambda node: (id(node.document), node.pointer))


def number_of(nodes: frozenset[SchemaNode], *, integer: bool) -> Number:
    number = Number(integer=integer)
    for node in nodes:
        keywords = node.keywords
        for below in (False, True):
            bound = fraction(keywords.get("maximum" if below else "minimum"))
            strict = keywords.get("exclusiveMaximum" if below else "exclusiveMinimum")
            exclusive = None if node.document.dialect is Dialect.DRAFT4 else fraction(strict)
            for end, is_open in ((bound, strict is True), (exclusive, True)):
                if end is not None:
                    number = number.below(end, is_open=is_open) if below else number.above(end, is_open=is_open)
        multiple = fraction(keywords.get("multipleOf"))
        if multiple is not None and multiple > 0:
            whole = multiple.denominator == 1 and node.document.dialect is not Dialect.DRAFT4
            number = replace(number, multiples=number.multiples | {multiple}, integer=number.integer or whole)
    return number.whole()


def single(kind: Number) -> Number | Value:
    """Return the one whole number that is left between the bounds, if it is but one."""
    low = kind.low
    if low is None or low != kind.high or kind.is_empty or low.denominator != 1:
        return kind
    return Value(int(low))


def size(value: Any) -> int | None:
    """Return a length or count, which may be written as 2.0; None for what is none."""
    number = fraction(value)
    return int(number) if number is not None and number.denominator == 1 and number >= 0 else None


def _least(nodes: Iterable[SchemaNode], keyword: str) -> int:
    return max((bound for node in nodes if (bound := size(node.keywords.get(keyword))) is not None), default=0)


def _most(nodes: Iterable[SchemaNode], keyword: str) -> int | None:
    return min((bound for node in nodes if (bound := size(node.keywords.get(keyword))) is not None), default=None)


def text_of(nodes: frozenset[SchemaNode]) -> Text:
    patterns = frozenset(pattern for node in nodes if isinstance(pattern := node.keywords.get("pattern"), str))
    formats = frozenset(format_ for node in nodes if isinstance(format_ := node.keywords.get("format"), str))
    return Text(_least(nodes, "minLength"), _most(nodes, "maxLength"), patterns, formats)


def items_of(node: SchemaNode, *, strictly: bool = False) -> Items | None:
    """Return what a schema says of an array's items, in whichever dialect.

    Args:
        strictly: whether `additionalItems` counts also where no `items` says what it is beside; some readers hold it.
    """
    keywords = node.keywords
    if strictly and "additionalItems" in keywords and "items" not in keywords:
        return Items((), node.child("additionalItems"))
    if isinstance(keywords.get("items"), list):
        others = node.child("additionalItems") if "additionalItems" in keywords else None
        return Items(tuple(node.children("items")), others)
    first = tuple(node.children("prefixItems"))
    others = node.child("items") if "items" in keywords else None
    return Items(first, others) if first or others is not None else None


def counted_of(node: SchemaNode) -> Counted | None:
    """Return what a schema says of how many items are like another schema."""
    keywords = node.keywords
    if "contains" not in keywords:
        return None
    if node.document.dialect.is_old:
        return Counted(node.child("contains"), 1, None)
    fewest = size(keywords.get("minContains"))
    return Counted(node.child("contains"), 1 if fewest is None else fewest, size(keywords.get("maxContains")))


def array_of(nodes: frozenset[SchemaNode]) -> Array:
    ordered = in_order(nodes)
    items = tuple(
        declared for node in ordered for declared in (items_of(node), left_over(node)[1]) if declared is not None
    )
    counted = tuple(contains for node in in_order(nodes) if (contains := counted_of(node)) is not None)
    shortest = max([_least(nodes, "minItems"), *(declared.fewest for declared in counted)])
    longest = _most(nodes, "maxItems")
    for listed in items:
        ends = [index for index, node in enumerate(listed.first) if node.schema is False]
        ends += [len(listed.first)] if listed.others is not None and listed.others.schema is False else []
        for end in ends:
            longest = end if longest is None else min(longest, end)
    unique = any(node.keywords.get("uniqueItems") is True for node in nodes)
    return Array(shortest, longest, unique, items, counted)


def members_of(node: SchemaNode) -> Members | None:
    """Return what a schema says of an object's members by itself."""
    keywords = node.keywords
    if not {"properties", "patternProperties", "additionalProperties"} & keywords.keys():
        return None
    others = node.child("additionalProperties") if "additionalProperties" in keywords else None
    return Members(node, node.named("properties"), node.named("patternProperties"), others, "properties" in keywords)


def object_of(nodes: frozenset[SchemaNode], absent: frozenset[str]) -> Object:
    ordered = in_order(nodes)
    members = [
        declared for node in ordered for declared in (members_of(node), left_over(node)[0]) if declared is not None
    ]
    required = frozenset(
        name
        for node in ordered
        if isinstance(names := node.keywords.get("required"), list)
        for name in names
        if isinstance(name, str)
    )
    names = tuple(node.child("propertyNames") for node in ordered if "propertyNames" in node.keywords)
    least, most = _least(ordered, "minProperties"), _most(ordered, "maxProperties")
    return Object(max(least, len(required)), most, required, absent, tuple(members), names)
