"""One JSON Schema with its dialect and its references. Nothing is ever fetched.

Sources: JSON Schema 2020-12 core, 8 (base URIs, references) and 9.3.1 (older drafts).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

Schema = dict[str, Any] | bool

DATA = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are data: what looks like a schema in there is none."""


class Dialect(Enum):
    """What a `$schema` means for us. UNSAID: no `$schema`; read as 2020-12, with doubt where drafts differ."""

    DRAFT4 = 4
    DRAFT6 = 6
    DRAFT7 = 7
    DRAFT2019 = 2019
    DRAFT2020 = 2020
    UNSAID = 0
    UNKNOWN = -1

    @property
    def is_old(self) -> bool:
        """Whether siblings of `$ref` mean nothing, and `dependencies` means something."""
        return self in (Dialect.DRAFT4, Dialect.DRAFT6, Dialect.DRAFT7)


_DIALECTS = {
    "json-schema.org/draft-04/schema": Dialect.DRAFT4,
    "json-schema.org/draft-06/schema": Dialect.DRAFT6,
    "json-schema.org/draft-07/schema": Dialect.DRAFT7,
    "json-schema.org/schema": Dialect.UNSAID,
    "json-schema.org/draft/2019-09/schema": Dialect.DRAFT2019,
    "json-schema.org/draft/2020-12/schema": Dialect.DRAFT2020,
}


_NEWER = frozenset({"$defs", "prefixItems", "dependentRequired", "dependentSchemas", "$dynamicRef", "$anchor"})


def mappings(root: Any) -> Iterator[dict[str, Any]]:
    """Return every mapping in a JSON value."""
    pending = [root]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            yield found
            pending += found.values()
        elif isinstance(found, list):
            pending += found


def dialect_of(schema: Any) -> Dialect:
    """Return the dialect that a schema says it is written in."""
    said = schema.get("$schema") if isinstance(schema, dict) else None
    if said is None:
        return Dialect.UNSAID
    return _DIALECTS.get(str(said).rstrip("#").partition("://")[2], Dialect.UNKNOWN)


@dataclass(frozen=True, eq=False)
class Document:
    """A whole schema. Two documents are never equal: equal text under another root may mean something else."""

    root: Any
    places: dict[str, Any] = field(default_factory=dict, repr=False)
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    def at(self, pointer: str) -> Any:
        """Return what stands at a pointer."""
        if pointer in self.places:
            return self.places[pointer]
        found = self.root
        for step in pointer.split("/")[1:]:
            found = found[int(step)] if isinstance(found, list) else found[unescape(step)]
        self.places[pointer] = found
        return found

    @cached_property
    def dialect(self) -> Dialect:
        return dialect_of(self.root)

    @cached_property
    def knows_dependencies(self) -> bool:
        """Whether `dependencies` means something: also where no dialect is said and no newer word is used."""
        if self.dialect is Dialect.UNSAID:
            return not any(_NEWER & found.keys() for found in mappings(self.root))
        return self.dialect.is_old or self.dialect is Dialect.DRAFT2019

    @property
    def node(self) -> Node:
        return Node(self, "", "")

    @cached_property
    def names(self) -> dict[str, tuple[str, str]]:
        """Pointer and resource of everything that `$id` or an anchor names, by absolute URI."""
        found: dict[str, tuple[str, str]] = {}
        pending: list[tuple[Any, str, str, str]] = [(self.root, "", "", "")]
        while pending:
            schema, pointer, resource, base = pending.pop()
            if isinstance(schema, list):
                pending += [(each, f"{pointer}/{index}", resource, base) for index, each in enumerate(schema)]
            if not isinstance(schema, dict):
                continue
            if (name := identifier(schema, self.dialect)) is not None:
                base, resource = urljoin(base, name), pointer
                found.setdefault(base.rstrip("#"), (pointer, resource))
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(schema.get(key), str):
                    found.setdefault(f"{base}#{schema[key]}", (pointer, resource))
            old = schema.get("$id", schema.get("id"))
            if isinstance(old, str) and old.startswith("#") and len(old) > 1:
                found.setdefault(base + old, (pointer, resource))
            pending += [
                (each, f"{pointer}/{escape(key)}", resource, base) for key, each in schema.items() if key not in DATA
            ]
        return found

    @cached_property
    def bases(self) -> dict[str, str]:
        """The absolute URI of each resource, by its pointer."""
        return {
            resource: uri for uri, (pointer, resource) in self.names.items() if pointer == resource and "#" not in uri
        }


def identifier(schema: dict[str, Any], dialect: Dialect) -> str | None:
    """Return the name that begins a new resource, if the schema has one."""
    name = schema.get("id" if dialect is Dialect.DRAFT4 else "$id")
    if not isinstance(name, str) or name.startswith("#") or not name:
        return None
    return None if dialect.is_old and "$ref" in schema else name


@dataclass(frozen=True, slots=True)
class Node:
    """One subschema: where it stands. resource: the pointer of what its references are relative to."""

    document: Document
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
        if self.document.dialect.is_old and isinstance(schema.get("$ref"), str):
            return {"$ref": schema["$ref"]}
        return schema

    def child(self, *steps: str | int) -> Node:
        """Return a subschema below this one."""
        node, schema = self, self.schema
        for step in steps:
            schema = schema[step]
            pointer = f"{node.pointer}/{escape(str(step))}"
            self.document.places[pointer] = schema
            own = isinstance(schema, dict) and identifier(schema, self.document.dialect) is not None
            node = Node(self.document, pointer, pointer if own else node.resource)
        return node

    def children(self, keyword: str) -> list[Node]:
        """Return the subschemas in a list, such as `anyOf`; none if it is no list."""
        found = self.keywords.get(keyword)
        return [self.child(keyword, index) for index in range(len(found))] if isinstance(found, list) else []

    def named(self, keyword: str) -> dict[str, Node]:
        """Return the subschemas by name in a mapping, such as `properties`."""
        found = self.keywords.get(keyword)
        return {name: self.child(keyword, name) for name in found} if isinstance(found, dict) else {}

    def target(self) -> Node | None:
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
            if whole not in names:
                return None
            resource = names[whole][0]
        if not fragment:
            return Node(self.document, resource, resource)
        if not fragment.startswith("/"):
            found = names.get(f"{self.document.bases.get(resource, '')}#{unquote(fragment)}")
            return Node(self.document, *found) if found else None
        node = Node(self.document, resource, resource)
        for step in unquote(fragment).split("/")[1:]:
            key, schema = unescape(step), node.schema
            if isinstance(schema, dict) and key in schema:
                node = node.child(key)
            elif isinstance(schema, list) and key.isdigit() and int(key) < len(schema):
                node = node.child(int(key))
            else:
                return None
        return node if isinstance(node.schema, dict | bool) else None


def escape(step: str) -> str:
    """Return a step of a JSON pointer (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")


def unescape(step: str) -> str:
    """Return what a step of a JSON pointer stands for."""
    return step.replace("~1", "/").replace("~0", "~")


@lru_cache(maxsize=4096)
def _made(text: str) -> Document:
    return Document(json.loads(text))


def made(schema: Schema) -> Node:
    """Return a small schema of our own as a node. Equal ones are one node, so that what recurs is recognised."""
    return _made(json.dumps(schema, sort_keys=True)).node


ANYTHING = made(True)
NOTHING = made(False)
