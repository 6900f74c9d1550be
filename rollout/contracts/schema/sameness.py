"""Do two subschemas say the same, references followed? Annotations aside; equal text under other roots may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rollout.contracts.schema.document import ANNOTATIONS, SchemaDocument, SchemaNode, plain
from rollout.contracts.schema.keywords import MANY, NAMED, ONE

_UNSETTLED = frozenset({"$dynamicRef", "$recursiveRef"})
"""What makes equal text mean something else elsewhere."""

REFERENCES_MAX = 300
"""With more references than this inside it, nothing is said to be the same."""

_Key = tuple[SchemaDocument, str]


class Sameness:
    """Numbers subschemas so that equal ones have equal numbers, and remembers which references stand in them."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        self._spend = spend
        self._numbers: dict[Any, int] = {}
        self._of: dict[_Key, tuple[int, frozenset[str] | None]] = {}
        self._assumed: set[tuple[SchemaNode, SchemaNode]] = set()

    def holds(self, one: SchemaNode, two: SchemaNode) -> bool:
        """Whether they provably say the same."""
        if one == two:
            return True
        if one.document.dialect is not two.document.dialect:
            return False
        first, references = self._known(one)
        second, others = self._known(two)
        if first != second or references is None or others is None:
            return False
        if not references or (one, two) in self._assumed:
            return True
        self._spend(len(references))
        self._assumed.add((one, two))
        pairs = [(_below(one, path).target(), _below(two, path).target()) for path in sorted(references)]
        if all(left is not None and right is not None and self.holds(left, right) for left, right in pairs):
            return True
        self._assumed.clear()  # what was assumed on the way may have leant on it
        return False

    def _known(self, node: SchemaNode) -> tuple[int, frozenset[str] | None]:
        key = (node.document, node.pointer)
        if key not in self._of:
            self._number(node.document, node.pointer, node.schema)
        return self._of[key]

    def _number(self, document: SchemaDocument, pointer: str, schema: Any) -> tuple[int, frozenset[str] | None]:
        """Number a schema and all below it. The references are relative to it; None where it cannot be told."""
        self._spend(1)
        if not isinstance(schema, dict):
            return self._note(document, pointer, (type(schema).__name__, plain(schema)), frozenset())
        parts: list[Any] = []
        references: set[str] | None = {""} if isinstance(schema.get("$ref"), str) else set()
        for keyword in sorted(schema.keys() - (ANNOTATIONS - {"$schema"})):
            value, below = schema[keyword], f"/{_escaped(keyword)}"
            children: list[tuple[str, Any]] = []
            if keyword in NAMED and isinstance(value, dict):
                children = [(f"{below}/{_escaped(name)}", value[name]) for name in sorted(value)]
                parts.append((keyword, tuple(sorted(value))))
            elif keyword in MANY and isinstance(value, list):
                parts.append((keyword, "list", len(value)))
                children = [(f"{below}/{index}", child) for index, child in enumerate(value)]
            elif keyword in ONE:
                children = [(below, value)]
            else:
                parts.append((keyword, plain(value)))
            if keyword in _UNSETTLED:
                references = None
            for path, child in children:
                number, inner = self._number(document, pointer + path, child)
                parts.append((keyword, number))
                references = None if references is None or inner is None else references | {path + i for i in inner}
        if references is not None and len(references) > REFERENCES_MAX:
            references = None
        return self._note(document, pointer, tuple(parts), None if references is None else frozenset(references))

    def _note(
        self, document: SchemaDocument, pointer: str, parts: Any, references: frozenset[str] | None
    ) -> tuple[int, frozenset[str] | None]:
        number = self._numbers.setdefault(parts, len(self._numbers)), references
        self._of[document, pointer] = number
        return number


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _below(node: SchemaNode, path: str) -> SchemaNode:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
    for step in steps:
        node = node.child(int(step) if isinstance(node.schema, list) else step)
    return node
