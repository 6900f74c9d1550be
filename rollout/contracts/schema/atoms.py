"""What a schema allows, taken apart: atoms of one type each, without alternatives inside.

A union of atoms always allows *at least* what its schema allows. So whatever holds for every atom holds for the schema.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import Any

from rollout.contracts.schema.document import SchemaNode

FEW = 64
"""So many integers are looked at one by one; ranges beyond are ranges."""


@dataclass(frozen=True, slots=True)
class Value:
    """One JSON value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Number:
    """A range of numbers.

    Attributes:
        low, high: bounds, None where there is none.
        open: whether the bound itself is left out.
    """

    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    integer: bool = False
    multiples: frozenset[Fraction] = frozenset()

    def above(self, bound: Fraction, *, is_open: bool) -> Number:
        """Return it with a lower bound more."""
        if self.low is None or bound > self.low or (bound == self.low and is_open):
            return replace(self, low=bound, low_open=is_open)
        return self

    def below(self, bound: Fraction, *, is_open: bool) -> Number:
        """Return it with an upper bound more."""
        if self.high is None or bound < self.high or (bound == self.high and is_open):
            return replace(self, high=bound, high_open=is_open)
        return self

    def whole(self) -> Number:
        """Return it with the bounds that an integer can have."""
        if not self.integer:
            return self
        low, high = self.low, self.high
        if low is not None:
            low = Fraction(floor(low) + 1 if self.low_open else ceil(low))
        if high is not None:
            high = Fraction(ceil(high) - 1 if self.high_open else floor(high))
        return replace(self, low=low, low_open=False, high=high, high_open=False)

    @property
    def is_empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def few(self) -> list[int] | None:
        """Return the integers it stands for, if they are few."""
        if not self.integer or self.low is None or self.high is None or self.high - self.low >= FEW:
            return None
        every = range(int(self.low), int(self.high) + 1)
        return [member for member in every if all(Fraction(member) % multiple == 0 for multiple in self.multiples)]


@dataclass(frozen=True, slots=True)
class Text:
    """Lengths in code points; patterns and formats hold all at once."""

    shortest: int = 0
    longest: int | None = None
    patterns: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        return self.longest is not None and self.longest < self.shortest


@dataclass(frozen=True, slots=True)
class Items:
    """One schema's word on the items of an array: the first ones each, then all others (None: whatever they are)."""

    first: tuple[SchemaNode, ...] = ()
    others: SchemaNode | None = None

    def at(self, index: int) -> SchemaNode | None:
        return self.first[index] if index < len(self.first) else self.others


@dataclass(frozen=True, slots=True)
class Counted:
    """So many items at least, and at most, are like `like`."""

    like: SchemaNode
    fewest: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Array:
    shortest: int = 0
    longest: int | None = None
    distinct: bool = False
    items: tuple[Items, ...] = ()
    counted: tuple[Counted, ...] = ()

    def at(self, index: int) -> frozenset[SchemaNode]:
        """Return what all schemas say of one item."""
        return frozenset(node for items in self.items if (node := items.at(index)) is not None)

    @property
    def declared(self) -> int:
        """How many first items are told apart from the others."""
        return max((len(items.first) for items in self.items), default=0)


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """One schema's word on the members of an object: by name, by pattern, and all others (None: nothing is said).

    Attributes:
        owner: the schema.
        declares: whether it lists its members at all.
    """

    owner: SchemaNode
    names: dict[str, SchemaNode]
    patterns: dict[str, SchemaNode]
    others: SchemaNode | None = None
    declares: bool = False


@dataclass(frozen=True, slots=True)
class Object:
    fewest: int = 0
    most: int | None = None
    required: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    members: tuple[Members, ...] = ()
    names: tuple[SchemaNode, ...] = ()


Kind = Value | Number | Text | Array | Object


@dataclass(frozen=True, slots=True)
class Atom:
    """One kind of value.

    Attributes:
        nodes: the schemas that all hold for it.
        nots: those of which none holds.
        exact: whether nothing was left out that would narrow it.
    """

    kind: Kind
    nodes: frozenset[SchemaNode]
    nots: tuple[SchemaNode, ...] = ()
    exact: bool = True

    @property
    def type(self) -> str:
        """The JSON type; `integer` where all of it are integers."""
        match self.kind:
            case Value(value):
                return type_of(value)
            case Number(integer=integer):
                return "integer" if integer else "number"
            case Text():
                return "string"
            case Array():
                return "array"
            case Object():
                return "object"


def type_of(value: Any) -> str:
    """Return the JSON type of a value; `integer` for whole numbers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    if isinstance(value, dict):
        return "object"
    return "integer" if value == int(value) else "number"
