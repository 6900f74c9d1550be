"""Is everything that some schemas allow together accepted by another one? A proof, or the reasons why there is none.

Containment of JSON Schemas, by rules. Pairs that lead back to themselves by way of a smaller value are assumed to
hold while they are looked at (values are finite, so that is an induction); if an assumption fails, everything is looked
at again without it, until nothing changes: the greatest fixpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rollout.contracts.schema import arrays, objects, scalars, unions
from rollout.contracts.schema.atoms import Array, Atom, Number, Object, Text, Value
from rollout.contracts.schema.document import SchemaDocument, SchemaNode
from rollout.contracts.schema.expand import TooMany, atoms_of
from rollout.contracts.schema.keywords import Dialect, said_by
from rollout.contracts.schema.problems import Problem, What, problem, shown
from rollout.contracts.schema.rule import Comparison, Rule
from rollout.contracts.schema.sameness import Sameness
from rollout.contracts.schema.validator import says
from rollout.contracts.schema.values import holds

STEPS_MAX = 30_000
"""So much work, and no more: about two seconds on a slow machine. Beyond it nothing is said."""

PASSES_MAX = 12
DEPTH_MAX = 60
PROBLEMS_MAX = 200
BARRED_DEPTH = 2
"""How deep it is looked whether what is left is all barred by `not`: one may lead to another without end."""

EMPTY_DEPTH = 3
"""How deep it is looked whether anything is allowed at all: what is not proved empty is not."""

Pair = tuple[frozenset[SchemaNode], SchemaNode]


@dataclass(frozen=True)
class Options:
    """How two schemas are compared.

    Attributes:
        closed_writer: whether a writer emits only the names it declares, as models do, even if its schema is open.
    """

    closed_writer: bool = True


class Budget:
    """How much work may be done for one answer; several comparisons may share it. Raises TooMany beyond it."""

    def __init__(self, steps: int = STEPS_MAX) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooMany


def compare(
    writer: SchemaDocument | SchemaNode,
    reader: SchemaDocument | SchemaNode,
    options: Options = Options(),
    budget: Budget | None = None,
) -> tuple[Problem, ...]:
    """Return why values of `writer` may be refused by `reader`; nothing if none can be."""
    first = writer.node if isinstance(writer, SchemaDocument) else writer
    second = reader.node if isinstance(reader, SchemaDocument) else reader
    large = Problem(What.TOO_LARGE, "", "", "a schema this large", "one that can be compared", certain=False)
    if first.document.is_too_deep or second.document.is_too_deep:
        return (large,)
    try:
        return Relation(first.document, options, budget).settle(first, second)
    except (TooMany, RecursionError, MemoryError):
        return (large,)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError):
        return (Problem(What.UNDECIDED, "", "", "a schema", "one that is well formed", certain=False),)


class Relation:
    """One comparison under way."""

    def __init__(self, writer: SchemaDocument, options: Options, budget: Budget | None = None) -> None:
        self._writer, self._options = writer, options
        self.spend = (budget or Budget()).spend
        self._depth = self._barring = 0
        self._refuted: dict[Pair, tuple[Problem, ...]] = {}
        self._proved: set[Pair] = set()
        self._open: dict[Pair, int] = {}
        self._assumed: set[Pair] = set()
        self._same = Sameness(self.spend)

    def settle(self, writer: SchemaNode, reader: SchemaNode) -> tuple[Problem, ...]:
        """Look until no assumption fails."""
        for _ in range(PASSES_MAX):
            self._proved.clear()
            self._assumed.clear()
            problems = self.contains(frozenset({writer}), reader)
            if not self._assumed & self._refuted.keys():
                return tuple(dict.fromkeys(problems))[:PROBLEMS_MAX]
        raise TooMany

    def is_closed(self, owner: SchemaNode) -> bool:
        """Whether what a node declares is all there is."""
        return self._options.closed_writer and owner.document is self._writer

    def same(self, one: SchemaNode, two: SchemaNode) -> bool:
        return self._same.holds(one, two)

    def atoms(self, nodes: Iterable[SchemaNode]) -> list[Atom]:
        """Return what schemas allow together, without what is provably nothing."""
        return [atom for atom in atoms_of(nodes, self.spend) if not self.is_nothing(atom)]

    def contains(
        self, writer: frozenset[SchemaNode], reader: SchemaNode, *, below: bool = False
    ) -> tuple[Problem, ...]:
        """Return why not everything that `writer` allows is accepted.

        Args:
            below: whether these are parts of a value.
        """
        self.spend(1)
        if reader.schema is True or reader.schema == {} or any(self.same(node, reader) for node in writer):
            return ()
        pair = (writer, reader)
        if pair in self._proved:
            return ()
        if pair in self._refuted:
            return self._refuted[pair]
        depth = self._depth + below
        if pair in self._open:
            if self._open[pair] >= depth:
                return (_loops(reader),)
            self._assumed.add(pair)
            return ()
        if depth > DEPTH_MAX:
            raise TooMany
        before, self._depth, self._open[pair] = self._depth, depth, depth
        try:
            problems = tuple(problem for atom in self.atoms(writer) for problem in self.admits(atom, reader))
        finally:
            self._depth = before
            del self._open[pair]
        if problems:
            self._refuted[pair] = problems[:PROBLEMS_MAX]
        else:
            self._proved.add(pair)
        return problems

    def admits(self, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode] = frozenset()) -> tuple[Problem, ...]:
        """Return why an atom is not accepted by a reader."""
        self.spend(1)
        schema = reader.schema
        if schema is True or any(self.same(node, reader) for node in atom.nodes):
            return ()
        if schema is False:
            return (problem(What.NOT_EXPECTED, atom, reader, "", "nothing here"),)
        if reader in loop:
            return (_loops(reader),)
        if not _is_known(reader):
            return (problem(What.DIALECT, atom, reader, "", str(schema.get("$schema")), certain=False),)
        if isinstance(atom.kind, Value):
            return self._value(atom, atom.kind.value, reader)
        return tuple(reason for rule in _RULES for reason in rule(self, atom, reader, loop | {reader}))

    def _value(self, atom: Atom, value: Any, reader: SchemaNode) -> tuple[Problem, ...]:
        accepted = holds(reader, value)
        if accepted:
            typed = says(reader.document, scalars.PYTHON_TYPE)
            return tuple(scalars.python_types(self, atom, reader, frozenset())) if typed else ()
        if accepted is None:
            return (problem(What.UNDECIDED, atom, reader, "a value", "a pattern, a format or a reference"),)
        if wrong := scalars.type_(self, atom, reader, frozenset()):
            return tuple(wrong)
        return (problem(What.VALUE, atom, reader, shown(value), "other values"),)

    def is_nothing(self, atom: Atom, depth: int = EMPTY_DEPTH) -> bool:
        """Whether an atom provably allows no value at all."""
        self.spend(1)
        match atom.kind:
            case Value():
                return False
            case Number() | Text() as kind:
                empty = kind.is_empty
            case Array() as kind:
                empty = arrays.is_nothing(self, kind, depth)
            case Object() as kind:
                empty = objects.is_nothing(self, kind, depth)
        if empty:
            return True
        if self._barring >= BARRED_DEPTH:
            return False
        self._barring += 1
        try:
            return any(not self.admits(atom, barred) for barred in atom.nots)
        finally:
            self._barring -= 1

    def is_impossible(self, nodes: frozenset[SchemaNode], depth: int) -> bool:
        """Whether schemas provably allow nothing together."""
        if any(node.schema is False for node in nodes):
            return True
        if depth <= 0 or not nodes:
            return False
        return all(self.is_nothing(atom, depth - 1) for atom in atoms_of(nodes, self.spend))

    def is_disjoint(self, atom: Atom, reader: SchemaNode) -> bool:
        """Whether provably no value of an atom is accepted by a reader."""
        if isinstance(atom.kind, Value):
            return holds(reader, atom.kind.value) is False
        return self.is_impossible(atom.nodes | {reader}, EMPTY_DEPTH)


def _loops(reader: SchemaNode) -> Problem:
    return Problem(What.LOOP, "", reader.pointer, "", "itself, and nothing besides", certain=False)


def _is_known(reader: SchemaNode) -> bool:
    if reader.document.dialect is Dialect.UNKNOWN or reader.is_doubtful:
        return False
    own = said_by(reader.schema)
    return not reader.pointer or own in (Dialect.UNSAID, reader.document.dialect)


def _reference(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    keywords = reader.keywords
    for key in ("$dynamicRef", "$recursiveRef"):
        if key in keywords:
            yield problem(What.REFERENCE, atom, reader, "", str(keywords[key]), at=f"/{key}", certain=False)
    if "$ref" not in keywords:
        return
    target = reader.target()
    if target is None:
        yield problem(What.REFERENCE, atom, reader, "", str(keywords["$ref"]), at="/$ref", certain=False)
    else:
        yield from relation.admits(atom, target, loop)


_RULES: tuple[Rule, ...] = (
    scalars.type_,
    scalars.python_type,
    scalars.values,
    _reference,
    unions.all_of,
    unions.any_of,
    unions.one_of,
    unions.negation,
    unions.conditional,
    scalars.number,
    scalars.text,
    arrays.array,
    objects.object_,
)
