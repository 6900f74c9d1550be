"""What a schema speaks of, so that `unevaluatedProperties` and `unevaluatedItems` know what is left over.

For a reader: what it surely evaluates, for a value that an atom allows. For a writer: what it may evaluate at most,
whichever of its branches hold. JSON Schema 2020-12 core, 11.
"""

from __future__ import annotations

from rollout.contracts.schema.atoms import Atom, Items, Members
from rollout.contracts.schema.document import ANYTHING, SchemaNode
from rollout.contracts.schema.rule import Comparison

_IN_PLACE = ("allOf", "anyOf", "oneOf")
_NAMED_IN_PLACE = ("dependentSchemas", "dependencies")


def names_spoken_of(
    relation: Comparison, atom: Atom, node: SchemaNode, seen: frozenset[SchemaNode]
) -> tuple[frozenset[str], frozenset[str], bool]:
    """Return the names and patterns that a schema surely evaluates, and whether it evaluates everything."""
    if node in seen or not isinstance(node.schema, dict):
        return frozenset(), frozenset(), False
    keywords = node.keywords
    names, patterns = frozenset(node.named("properties")), frozenset(node.named("patternProperties"))
    everything = "additionalProperties" in keywords or (bool(seen) and "unevaluatedProperties" in keywords)
    for applied in _surely(relation, atom, node):
        more, matched, whole = names_spoken_of(relation, atom, applied, seen | {node})
        names, patterns, everything = names | more, patterns | matched, everything or whole
    return names, patterns, everything


def items_spoken_of(relation: Comparison, atom: Atom, node: SchemaNode, seen: frozenset[SchemaNode]) -> int | None:
    """Return how many first items a schema surely evaluates; None for all."""
    if node in seen or not isinstance(node.schema, dict):
        return 0
    keywords = node.keywords
    listed = isinstance(keywords.get("items"), list)
    beyond = listed and "additionalItems" in keywords
    if ("items" in keywords and not listed) or beyond or (seen and "unevaluatedItems" in keywords):
        return None
    counts = [len(node.children("items" if listed else "prefixItems"))]
    for applied in _surely(relation, atom, node):
        spoken_of = items_spoken_of(relation, atom, applied, seen | {node})
        if spoken_of is None:
            return None
        counts.append(spoken_of)
    return max(counts)


def _surely(relation: Comparison, atom: Atom, node: SchemaNode) -> list[SchemaNode]:
    """Return the schemas in place that surely hold for an atom."""
    applied = list(node.children("allOf"))
    if (target := node.target()) is not None:
        applied.append(target)
    return applied + [
        branch for key in ("anyOf", "oneOf") for branch in node.children(key) if not relation.admits(atom, branch)
    ]


def left_over(node: SchemaNode) -> tuple[Members | None, Items | None]:
    """Return what a writer's schema says of members and items that none of its other words may speak of."""
    keywords = node.keywords
    if not {"unevaluatedProperties", "unevaluatedItems"} & keywords.keys():
        return None, None
    every = _in_place(node)
    if every is None:
        return None, None
    members = items = None
    if "unevaluatedProperties" in keywords and not any(_opens_members(applied, node) for applied in every):
        names = {name: ANYTHING for applied in every for name in applied.named("properties")}
        patterns = {name: ANYTHING for applied in every for name in applied.named("patternProperties")}
        members = Members(node, names, patterns, node.child("unevaluatedProperties"))
    if "unevaluatedItems" in keywords and not any(_opens_items(applied, node) for applied in every):
        first = max(len(applied.children("prefixItems")) for applied in every)
        items = first, node.child("unevaluatedItems")
    return members, None if items is None else Items((ANYTHING,) * items[0], items[1])


def _opens_members(applied: SchemaNode, node: SchemaNode) -> bool:
    own = "unevaluatedProperties" in applied.keywords and applied != node
    return own or "additionalProperties" in applied.keywords


def _opens_items(applied: SchemaNode, node: SchemaNode) -> bool:
    own = "unevaluatedItems" in applied.keywords and applied != node
    return own or bool({"items", "additionalItems", "contains"} & applied.keywords.keys())


def _in_place(node: SchemaNode) -> list[SchemaNode] | None:
    """Return every schema that may hold in the same place; None if that cannot be told."""
    in_place: dict[SchemaNode, None] = {}
    pending = [node]
    while pending:
        current = pending.pop()
        if current in in_place or isinstance(current.schema, bool):
            continue
        if current.is_doubtful:
            return None
        in_place[current] = None
        keywords = current.keywords
        if {"$dynamicRef", "$recursiveRef"} & keywords.keys():
            return None
        if "$ref" in keywords:
            target = current.target()
            if target is None:
                return None
            pending.append(target)
        for key in _IN_PLACE:
            pending += current.children(key)
        pending += [current.child(key) for key in ("if", "then", "else") if key in keywords]
        for key in _NAMED_IN_PLACE:
            pending += [below for below in current.named(key).values() if not isinstance(below.schema, list)]
    return list(in_place)
