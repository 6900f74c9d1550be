"""Rules for arrays."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.contracts.schema.atoms import Array, Atom, Counted
from rollout.contracts.schema.document import SchemaNode
from rollout.contracts.schema.evaluated import items_spoken_of
from rollout.contracts.schema.kinds import counted_of, items_of, size
from rollout.contracts.schema.problems import Problem, What, problem
from rollout.contracts.schema.rule import Comparison

ITEMS_MAX = 64
"""So many first items are looked at one by one."""


def is_nothing(relation: Comparison, kind: Array, depth: int) -> bool:
    """Whether no array is allowed: too short for itself, or an item that must be there cannot be."""
    if kind.longest is not None and kind.longest < kind.shortest:
        return True
    for index in range(min(kind.shortest, kind.declared + 1, ITEMS_MAX)):
        if relation.is_impossible(kind.at(index), depth):
            return True
    return False


def array(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    del loop
    kind, keywords = atom.kind, reader.keywords
    if not isinstance(kind, Array):
        return
    shortest, longest = size(keywords.get("minItems")), size(keywords.get("maxItems"))
    if shortest is not None and kind.shortest < shortest:
        yield problem(What.COUNT, atom, reader, f"{kind.shortest} items", f"at least {shortest}", at="/minItems")
    if longest is not None and (kind.longest is None or kind.longest > longest):
        wrote = "any number of items" if kind.longest is None else f"{kind.longest} items"
        yield problem(What.COUNT, atom, reader, wrote, f"at most {longest}", at="/maxItems")
    if keywords.get("uniqueItems") is True and not kind.distinct and (kind.longest is None or kind.longest > 1):
        yield problem(What.UNIQUE, atom, reader, "equal items", "distinct ones", at="/uniqueItems")
    yield from _items(relation, kind, reader)
    wanted = counted_of(reader)
    if wanted is not None:
        yield from _counted(relation, atom, kind, reader, wanted)
    if "unevaluatedItems" in keywords and not _is_all_evaluated(relation, atom, kind, reader):
        wrote = "items that nothing else speaks of"
        yield problem(What.NOT_EXPECTED, atom, reader, wrote, "none such", at="/unevaluatedItems", certain=False)


def _items(relation: Comparison, kind: Array, reader: SchemaNode) -> Iterable[Problem]:
    expected = items_of(reader, strictly=True)
    if expected is None:
        return
    count = max(kind.declared, len(expected.first))
    for index in range(count + 1):
        relation.spend(1)
        if kind.longest is not None and index >= kind.longest:
            return
        node = expected.at(index)
        if node is not None:
            yield from relation.contains(kind.at(index), node, below=True)


def _counted(relation: Comparison, atom: Atom, kind: Array, reader: SchemaNode, wanted: Counted) -> Iterable[Problem]:
    """`contains`: how many items are like that for sure, and how many may be."""
    if wanted.fewest and not _has_enough(relation, kind, wanted):
        yield problem(What.CONTAINS, atom, reader, "none such for sure", f"at least {wanted.fewest}", at="/contains")
    if wanted.most is not None and not _has_few(relation, kind, wanted):
        expects = f"at most {wanted.most}"
        yield problem(What.CONTAINS, atom, reader, "perhaps more", expects, at="/maxContains", certain=False)


def _has_enough(relation: Comparison, kind: Array, wanted: Counted) -> bool:
    for own in kind.counted:
        if own.fewest >= wanted.fewest and not relation.contains(frozenset({own.like}), wanted.like, below=True):
            return True
    sure = [
        not relation.contains(kind.at(index), wanted.like, below=True)
        for index in range(min(kind.shortest, kind.declared + 1, ITEMS_MAX))
    ]
    others = kind.shortest - len(sure)
    if others > 0 and sure and sure[-1] and len(sure) == kind.declared + 1:
        return sum(sure) + others >= wanted.fewest
    return sum(sure) >= wanted.fewest


def _has_few(relation: Comparison, kind: Array, wanted: Counted) -> bool:
    assert wanted.most is not None
    if kind.longest is not None and kind.longest <= wanted.most:
        return True
    for own in kind.counted:
        within = own.most is not None and own.most <= wanted.most
        if within and not relation.contains(frozenset({wanted.like}), own.like, below=True):
            return True
    places = kind.declared + 1 if kind.longest is None else min(kind.longest, kind.declared + 1)
    unlike = [relation.is_impossible(kind.at(index) | {wanted.like}, 2) for index in range(places)]
    if len(unlike) > kind.declared and not unlike[-1]:
        return False  # any number of others may be like it
    return len(unlike) - sum(unlike) <= wanted.most


def _is_all_evaluated(relation: Comparison, atom: Atom, kind: Array, reader: SchemaNode) -> bool:
    """Whether the reader's other keywords surely speak of every item, or what is left over is accepted anyway."""
    rest = reader.child("unevaluatedItems")
    if rest.schema is True:
        return True
    evaluated = items_spoken_of(relation, atom, reader, frozenset())
    if evaluated is None or (kind.longest is not None and kind.longest <= evaluated):
        return True
    for index in range(evaluated, max(kind.declared, evaluated) + 1):
        within = kind.longest is None or index < kind.longest
        if within and relation.contains(kind.at(index), rest, below=True):
            return False
    return True
