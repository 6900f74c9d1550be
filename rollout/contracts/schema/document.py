"""One JSON Schema with its dialect and its references. Nothing is ever fetched.

Sources: JSON Schema 2020-12 core, 8 (base URIs, references) and 9.3.1 (older drafts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from rollout.contracts.schema.keywords import FOREIGN, Dialect, dialect_of, is_too_deep, subschemas

Schema = dict[str, Any] | bool


@dataclass(frozen=True, eq=False)
class SchemaDocument:
    """A whole schema. Two documents are never equal: equal text under another root may mean something else."""

    root: Any
    places: dict[str, Any] = field(default_factory=dict, repr=False)
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    def at(self, pointer: str) -> Any:
        """Return what stands at a pointer."""
        if pointer in self.places:
            return self.places[pointer]
        node = self.root
        for step in pointer.split("/")[1:]:
            node = node[int(step)] if isinstance(node, list) else node[unescape(step)]
        self.places[pointer] = node
        return node

    @cached_property
    def dialect(self) -> Dialect:
        return dialect_of(self.root)

    @property
    def node(self) -> SchemaNode:
        return SchemaNode(self, "", "")

    @cached_property
    def is_too_deep(self) -> bool:
        """Whether it is nested beyond all sense."""
        return is_too_deep(self.root)

    @cached_property
    def names(self) -> dict[str, tuple[str, str] | None]:
        """Pointer and resource of what `$id` or an anchor names, by absolute URI; None for what is named twice."""
        anchors: dict[str, tuple[str, str] | None] = {}
        above: list[tuple[tuple[str, ...], str]] = [((), "")]
        resources: dict[tuple[str, ...], str] = {(): ""}
        for path, schema in subschemas(self.root):
            while path[: len(above[-1][0])] != above[-1][0]:
                above.pop()
            resource, base = resources[above[-1][0]], above[-1][1]
            if not isinstance(schema, dict):
                continue
            named = []
            if (name := identifier(schema, self.dialect)) is not None:
                base, resource = urljoin(base, name), pointer_of(path)
                resources[path] = resource
                above.append((path, base))
                named.append(base.rstrip("#"))
            named += [
                f"{base}#{schema[key]}" for key in ("$anchor", "$dynamicAnchor") if isinstance(schema.get(key), str)
            ]
            old = schema.get("id" if self.dialect is Dialect.DRAFT4 else "$id")
            if isinstance(old, str) and old.startswith("#") and len(old) > 1:
                named.append(base + old)
            for uri in named:
                anchors[uri] = None if uri in anchors else (pointer_of(path), resource)
        return anchors

    @cached_property
    def bases(self) -> dict[str, str]:
        """The absolute URI of each resource, by its pointer."""
        named = ((uri, place) for uri, place in self.names.items() if place is not None and "#" not in uri)
        return {resource: uri for uri, (pointer, resource) in named if pointer == resource}


def identifier(schema: dict[str, Any], dialect: Dialect) -> str | None:
    """Return the name that begins a new resource, if the schema has one."""
    name = schema.get("id" if dialect is Dialect.DRAFT4 else "$id")
    if not isinstance(name, str) or name.startswith("#") or not name:
        return None
    return None if dialect.is_old and "$ref" in schema else name


@dataclass(frozen=True, slots=True)
class SchemaNode:
    """One subschema: where it stands.

    Attributes:
        resource: the pointer of what its references are relative to.
    """

    document: SchemaDocument
    pointer: str
    resource: str

    @property
    def schema(self) -> Any:
        return self.document.at(self.pointer)

    @property
    def keywords(self) -> dict[str, Any]:
        """Return the keywords that count: of an old draft nothing beside a `$ref`."""
        schema = self.schema
        if not isinstance(schema, dict):
            return {}
        dialect = self.document.dialect
        if dialect.is_old and isinstance(schema.get("$ref"), str):
            return {"$ref": schema["$ref"]}
        if foreign := FOREIGN[dialect] & schema.keys():
            schema = {key: value for key, value in schema.items() if key not in foreign}
        return schema

    @property
    def is_doubtful(self) -> bool:
        """Whether it says more beside a reference, in a document of which it is not known whether that counts."""
        schema = self.schema
        refers = isinstance(schema, dict) and "$ref" in schema and self.document.dialect is Dialect.UNSAID_OLD
        return refers and bool(schema.keys() - {"$ref"} - ANNOTATIONS)

    def child(self, *steps: str | int) -> SchemaNode:
        """Return a subschema below this one."""
        node, schema = self, self.schema
        for step in steps:
            schema = schema[step]
            pointer = f"{node.pointer}/{escape(str(step))}"
            self.document.places[pointer] = schema
            own = isinstance(schema, dict) and identifier(schema, self.document.dialect) is not None
            node = SchemaNode(self.document, pointer, pointer if own else node.resource)
        return node

    def children(self, keyword: str) -> list[SchemaNode]:
        """Return the subschemas in a list, such as `anyOf`; none if it is no list."""
        children = self.keywords.get(keyword)
        return [self.child(keyword, index) for index in range(len(children))] if isinstance(children, list) else []

    def named(self, keyword: str) -> dict[str, SchemaNode]:
        """Return the subschemas by name in a mapping, such as `properties`."""
        members = self.keywords.get(keyword)
        return {name: self.child(keyword, name) for name in members} if isinstance(members, dict) else {}

    def target(self) -> SchemaNode | None:
        """Return what `$ref` points at; None for what is not in the document."""
        reference = self.keywords.get("$ref")
        if not isinstance(reference, str):
            return None
        base, fragment = urldefrag(reference)
        names = self.document.names
        if not base:
            resource = self.resource
        else:
            whole = urljoin(self.document.bases.get(self.resource, ""), base)
            place = names.get(whole)
            if place is None:
                return None
            resource = place[0]
        if not fragment:
            return SchemaNode(self.document, resource, resource)
        if not fragment.startswith("/"):
            pointer = names.get(f"{self.document.bases.get(resource, '')}#{unquote(fragment)}")
            return SchemaNode(self.document, *pointer) if pointer else None
        node = SchemaNode(self.document, resource, resource).at(unquote(fragment))
        return node if node is not None and isinstance(node.schema, dict | bool) else None

    def at(self, pointer: str) -> SchemaNode | None:
        """Return what a pointer leads to from here; None where it leads nowhere."""
        node = self
        for step in pointer.split("/")[1:]:
            key, schema = unescape(step), node.schema
            if isinstance(schema, dict) and key in schema:
                node = node.child(key)
            elif isinstance(schema, list) and key.isdigit() and int(key) < len(schema):
                node = node.child(int(key))
            else:
                return None
        return node


def escape(step: str) -> str:
    """Return a step of a JSON pointer (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")


def unescape(step: str) -> str:
    """Return what a step of a JSON pointer stands for."""
    return step.replace("~1", "/").replace("~0", "~")


def pointer_of(path: tuple[str, ...]) -> str:
    """Return the JSON pointer of some steps."""
    return "".join(f"/{escape(step)}" for step in path)


_MADE_MAX = 4096
_HAND_MADE: dict[Any, SchemaDocument] = {}


def schema_node(schema: Schema) -> SchemaNode:
    """Return a small schema of our own as a node. Equal ones are one node, so that what recurs is recognised."""
    key = plain(schema)
    if key not in _HAND_MADE and len(_HAND_MADE) >= _MADE_MAX:
        _HAND_MADE.clear()
    return _HAND_MADE.setdefault(key, SchemaDocument(schema)).node


def plain(value: Any) -> Any:
    """Return a value's likeness that compares as JSON does: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, bool) or value is None:
        return ("literal", value)
    if isinstance(value, float | Decimal):
        return int(value) if value == int(value) else Decimal(str(value))
    if isinstance(value, list):
        return ("list", tuple(plain(part) for part in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, plain(part)) for key, part in value.items()))
    return value


PYTHON_CLASS = "x-python-class"
"""The class that a schema is of. It refuses nothing: what is kept as JSON has no classes."""

ANNOTATIONS = frozenset({
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "discriminator",
    "$defs", "definitions", "$schema", PYTHON_CLASS,
})  # fmt: skip
"""What refuses nothing."""

ANYTHING = schema_node(True)
NOTHING = schema_node(False)
