"""Schemas, all of which hold at once, into atoms. What cannot be told is left out, so that the atoms allow more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rollout.contracts.schema.atoms import (
    Atom,
    Kind,
    Value,
    type_of,
)
from rollout.contracts.schema.document import ANNOTATIONS, SchemaNode, schema_node
from rollout.contracts.schema.keywords import Dialect, said_by
from rollout.contracts.schema.kinds import array_of, in_order, number_of, object_of, single, text_of
from rollout.contracts.schema.values import distinct, holds

TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
ALTERNATIVES_MAX = 400
"""More alternatives than this at one place are too many to be told apart."""


class TooMany(Exception):  # noqa: N818  it is raised to end a comparison, and never leaves it
    """The comparison has become too large: nothing can be said."""


@dataclass(frozen=True, slots=True)
class Part:
    """One alternative under way: the schemas that hold, and those that do not."""

    types: frozenset[str] = TYPES
    nodes: frozenset[SchemaNode] = frozenset()
    nots: tuple[SchemaNode, ...] = ()
    values: tuple[Any, ...] | None = None
    absent: frozenset[str] = frozenset()
    exact: bool = True


def atoms_of(nodes: Iterable[SchemaNode], spend: Callable[[int], None]) -> list[Atom]:
    """Return atoms that allow at least what all the schemas allow together.

    Args:
        spend: told how much work it was.
    """
    nodes = frozenset(nodes)
    parts = _all([_of(node, frozenset(), spend) for node in in_order(nodes)], spend)
    atoms: list[Atom] = []
    for part in parts:
        atoms += _atoms(part, nodes, spend)
    spend(len(atoms))
    return atoms


def _of(node: SchemaNode, seen: frozenset[SchemaNode], spend: Callable[[int], None]) -> list[Part]:
    """Return the alternatives of one schema."""
    spend(1)
    schema = node.schema
    if schema is False:
        return []
    if schema is True or not isinstance(schema, dict):
        return [Part(exact=schema is True)]
    if node in seen:
        return [Part(exact=False)]
    seen |= {node}
    keywords, known = node.keywords, _is_known(node)
    if not known:
        return [Part(exact=False)]
    base = Part(types=_types(keywords), nodes=frozenset({node}), values=_values(keywords))
    factors = [[base]]
    if "$ref" in keywords:
        target = node.target()
        factors.append([Part(exact=False)] if target is None else _of(target, seen, spend))
    if {"$dynamicRef", "$recursiveRef"} & keywords.keys():
        factors.append([Part(exact=False)])
    factors += [_of(child, seen, spend) for child in node.children("allOf")]
    factors += [
        [part for child in node.children(key) for part in _of(child, seen, spend)]
        for key in ("anyOf", "oneOf")
        if isinstance(keywords.get(key), list)
    ]
    if "not" in keywords:
        factors.append(_negated(node.child("not")))
    if "if" in keywords:
        factors.append(_conditional(node, seen, spend))
    factors += _dependent(node, seen, spend)
    return _all(factors, spend)


def _is_known(node: SchemaNode) -> bool:
    """Whether the dialect is one whose rules we know, and the same all over the document."""
    if node.document.dialect is Dialect.UNKNOWN or node.is_doubtful:
        return False
    own = said_by(node.schema)
    return not node.pointer or own in (Dialect.UNSAID, node.document.dialect)


def _types(keywords: dict[str, Any]) -> frozenset[str]:
    declared = keywords.get("type")
    if declared is None:
        return TYPES
    types = frozenset(
        [declared] if isinstance(declared, str) else [type_ for type_ in declared if isinstance(type_, str)]
    )
    return types | {"integer"} if "number" in types else types


def _values(keywords: dict[str, Any]) -> tuple[Any, ...] | None:
    if "const" in keywords:
        return (keywords["const"],)
    values = keywords.get("enum")
    return tuple(distinct(values)) if isinstance(values, list) else None


def _negated(node: SchemaNode) -> list[Part]:
    """Return the alternatives of `not`: simple ones told exactly, others only kept in mind."""
    schema = node.schema
    if schema is False:
        return [Part()]
    if schema is True or schema == {}:
        return []
    required = schema.get("required") if isinstance(schema, dict) else None
    if isinstance(schema, dict) and schema.keys() == {"required"} and isinstance(required, list) and len(required) == 1:
        barred = frozenset({str(required[0])})
        nodes = frozenset({schema_node({"properties": {str(required[0]): False}})})
        return [Part(types=frozenset({"object"}), nodes=nodes, absent=barred)]
    types = TYPES - _types(schema) if isinstance(schema, dict) and schema.keys() == {"type"} else TYPES
    return [Part(types=types, nots=(node,))]


def _conditional(node: SchemaNode, seen: frozenset[SchemaNode], spend: Callable[[int], None]) -> list[Part]:
    met = [_of(node.child("if"), seen, spend)]
    otherwise = [_negated(node.child("if"))]
    if "then" in node.keywords:
        met.append(_of(node.child("then"), seen, spend))
    if "else" in node.keywords:
        otherwise.append(_of(node.child("else"), seen, spend))
    return _all(met, spend) + _all(otherwise, spend)


def _dependent(node: SchemaNode, seen: frozenset[SchemaNode], spend: Callable[[int], None]) -> list[list[Part]]:
    """Return a factor for each dependency: the name is absent, or it is there and what depends on it holds."""
    needs: dict[str, list[SchemaNode]] = {}
    for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
        dependencies = node.keywords.get(keyword)
        for name, need in dependencies.items() if isinstance(dependencies, dict) else ():
            wanted = schema_node({"required": need}) if isinstance(need, list) else node.child(keyword, name)
            needs.setdefault(name, []).append(wanted)
    factors = []
    for name, needed in needs.items():
        there = Part(types=frozenset({"object"}), nodes=frozenset({schema_node({"required": [name]})}))
        met = _all([[there], *(_of(other, seen, spend) for other in needed)], spend)
        absent = Part(nodes=frozenset({schema_node({"properties": {name: False}})}), absent=frozenset({name}))
        factors.append([absent, *met])
    return factors


def _all(factors: list[list[Part]], spend: Callable[[int], None]) -> list[Part]:
    """Return every combination of one alternative each."""
    parts = [Part()]
    for factor in factors:
        if len(factor) == 1 and factor[0] == _FREE:
            continue
        parts = [joined for one in parts for two in factor if (joined := _both(one, two, spend)) is not None]
        spend(len(parts))
        if len(parts) > ALTERNATIVES_MAX:
            raise TooMany
    return parts


_FREE = Part()


def _both(one: Part, two: Part, spend: Callable[[int], None]) -> Part | None:
    types = one.types & two.types
    values = one.values
    if two.values is not None:
        spend((len(two.values) + len(values or ())) // 5)
        values = two.values if values is None else tuple(distinct(values, among=two.values))
    if not types or values == ():
        return None
    return Part(
        types, one.nodes | two.nodes, one.nots + two.nots, values, one.absent | two.absent, one.exact and two.exact
    )


def _atoms(part: Part, whole: frozenset[SchemaNode], spend: Callable[[int], None]) -> list[Atom]:
    """Return the atoms of one alternative, a type each."""
    nodes = part.nodes | whole
    telling = [node for node in nodes if node.keywords.keys() - _LISTED]
    if part.values is not None:
        spend(len(part.values) * (1 + 5 * len(telling)) // 5)
        kept = [value for value in part.values if _fits(value, part.types) and _allowed(value, telling)]
        return [Atom(Value(value), nodes, (), part.exact) for value in kept]
    kinds: list[Kind] = []
    for type_ in sorted(part.types):
        match type_:
            case "null":
                kinds.append(Value(None))
            case "boolean":
                kinds += [Value(False), Value(True)]
            case "number":
                kinds.append(single(number_of(part.nodes, integer=False)))
            case "integer" if "number" not in part.types:
                kinds.append(single(number_of(part.nodes, integer=True)))
            case "string":
                kinds.append(text_of(part.nodes))
            case "array":
                array = array_of(part.nodes)
                kinds.append(Value([]) if array.longest == array.shortest == 0 else array)
            case "object":
                made_of = object_of(part.nodes, part.absent)
                spend((len(made_of.required) + sum(len(member.names) for member in made_of.members)) // 10)
                kinds.append(Value({}) if made_of.most == made_of.fewest == 0 else made_of)
    return [
        Atom(kind, nodes, part.nots, part.exact)
        for kind in kinds
        if not isinstance(kind, Value) or _allowed(kind.value, telling)
    ]


_LISTED = frozenset({"type", "enum", "const"}) | ANNOTATIONS
"""What has been looked at when a value has got so far."""


def _fits(value: Any, types: frozenset[str]) -> bool:
    return type_of(value) in types


def _allowed(value: Any, nodes: Iterable[SchemaNode]) -> bool:
    return all(holds(node, value) is not False for node in nodes)
