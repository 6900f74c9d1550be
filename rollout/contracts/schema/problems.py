"""Why a reader may refuse what a writer writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rollout.contracts.schema.atoms import Atom
from rollout.contracts.schema.document import SchemaNode


class What(StrEnum):
    """Which rule found it."""

    TYPE = "type"
    VALUE = "value"
    NOT_EXPECTED = "not-expected"
    NUMBER = "number"
    LENGTH = "length"
    PATTERN = "pattern"
    FORMAT = "format"
    COUNT = "count"
    UNIQUE = "unique"
    CONTAINS = "contains"
    REQUIRED = "required"
    OPTIONAL = "optional"
    MEMBER = "member"
    DEPENDENCY = "dependency"
    UNION = "union"
    AMBIGUOUS = "ambiguous"
    NEGATION = "negation"
    REFERENCE = "reference"
    DIALECT = "dialect"
    LOOP = "loop"
    UNDECIDED = "undecided"
    TOO_LARGE = "too-large"


UNDECIDABLE = frozenset({What.REFERENCE, What.DIALECT, What.LOOP, What.UNDECIDED, What.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason.

    Attributes:
        writer, reader: pointers into either schema.
        wrote, expects: in words.
        name: the member of an object it is about, if it is about one.
        certain: whether a refused value surely exists.
    """

    what: What
    writer: str
    reader: str
    wrote: str
    expects: str
    name: str = ""
    certain: bool = True

    @property
    def is_break(self) -> bool:
        """Whether it is certain enough to be called a break; else nothing can be said."""
        return self.certain and self.what not in UNDECIDABLE


def problem(
    what: What,
    atom: Atom,
    reader: SchemaNode,
    wrote: str,
    expects: str,
    *,
    at: str = "",
    name: str = "",
    certain: bool = True,
) -> Problem:
    """Return a problem that an atom has with a reader, at a keyword of it."""
    return Problem(what, _place(atom), reader.pointer + at, wrote, expects, name, certain=certain and atom.exact)


def _place(atom: Atom) -> str:
    """Return where the writer says most of it: the deepest of its nodes that is not of our own making."""
    return max((node.pointer for node in atom.nodes), key=len, default="")


def shown(value: Any, limit: int = 60) -> str:
    """Return a value of a schema, shortened. Schemas are code, not data of users."""
    text = json.dumps(value, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"
