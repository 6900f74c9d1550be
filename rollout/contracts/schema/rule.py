"""What a rule may ask of the comparison that it is part of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from rollout.contracts.schema.atoms import Atom
from rollout.contracts.schema.document import SchemaNode
from rollout.contracts.schema.problems import Problem


class Comparison(Protocol):
    """One comparison under way. Everything it is asked costs work; beyond the budget it raises TooMany."""

    def spend(self, steps: int, /) -> None:
        """Count work that is done."""
        ...

    def is_closed(self, owner: SchemaNode) -> bool:
        """Whether what a node declares is all there is."""
        ...

    def same(self, one: SchemaNode, two: SchemaNode) -> bool:
        """Whether two schemas say the same."""
        ...

    def atoms(self, nodes: Iterable[SchemaNode]) -> list[Atom]:
        """Return what schemas allow together, without what is provably nothing."""
        ...

    def contains(
        self, writer: frozenset[SchemaNode], reader: SchemaNode, *, below: bool = False
    ) -> tuple[Problem, ...]:
        """Return why not everything that `writer` allows is accepted.

        Args:
            below: whether these are parts of a value.
        """
        ...

    def admits(self, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode] = frozenset()) -> tuple[Problem, ...]:
        """Return why an atom is not accepted by a reader."""
        ...

    def is_nothing(self, atom: Atom, depth: int = ...) -> bool:
        """Whether an atom provably allows no value at all."""
        ...

    def is_impossible(self, nodes: frozenset[SchemaNode], depth: int) -> bool:
        """Whether schemas provably allow nothing together."""
        ...

    def is_disjoint(self, atom: Atom, reader: SchemaNode) -> bool:
        """Whether provably no value of an atom is accepted by a reader."""
        ...


Rule = Callable[[Comparison, Atom, SchemaNode, frozenset[SchemaNode]], Iterable[Problem]]
"""One keyword's rule: why an atom is not accepted by a reader. The set holds the readers that led here."""
