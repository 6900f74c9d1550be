"""Rules for types, single values, numbers and texts."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from rollout.contracts.schema.atoms import Atom, Number, Text, Value, type_of
from rollout.contracts.schema.automaton import Undecidable
from rollout.contracts.schema.document import SchemaNode
from rollout.contracts.schema.keywords import Dialect
from rollout.contracts.schema.kinds import size
from rollout.contracts.schema.patterns import is_within, matches
from rollout.contracts.schema.problems import Problem, What, problem, shown
from rollout.contracts.schema.rule import Comparison
from rollout.contracts.schema.validator import fraction
from rollout.contracts.schema.values import distinct, holds

PYTHON_TYPE = "x-python-type"
"""Our own keyword: what a value is in the agent where its JSON says less, such as `set` or a library's type."""

WIDER_FORMATS = {
    "idn-email": {"email"},
    "iri": {"uri"},
    "uri-reference": {"uri"},
    "iri-reference": {"uri", "uri-reference", "iri"},
    "uuid": {f"uuid{version}" for version in range(1, 9)},
}
LOOSE_FORMATS = frozenset({"binary", "password", "byte", "textarea", "markdown"})
"""Formats that refuse nothing."""

NUMBER_FORMATS = frozenset({"int32", "int64", "uint32", "uint64", "float", "double", "decimal"})


def type_(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    del relation, loop
    declared = reader.keywords.get("type")
    if declared is None:
        return []
    types = [declared] if isinstance(declared, str) else declared
    kind = atom.kind
    own = type_of(kind.value) if isinstance(kind, Value) else atom.type
    fits = own in types or (own == "integer" and "number" in types)
    if fits:
        return []
    return [problem(What.TYPE, atom, reader, own, " or ".join(map(str, types)), at="/type")]


def python_type(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    """What JSON cannot tell apart and stores can: a set or a list, or a type that a library keeps as its own."""
    del relation, loop
    own = {declared for node in atom.nodes if (declared := node.keywords.get(PYTHON_TYPE)) is not None}
    wanted = reader.keywords.get(PYTHON_TYPE)
    if own == {wanted} or (wanted is None and not (own and "type" in reader.keywords)):
        return
    wrote = " and ".join(sorted(map(str, own))) or atom.type
    yield problem(What.TYPE, atom, reader, wrote, str(wanted or reader.keywords["type"]), at=f"/{PYTHON_TYPE}")


def python_types(
    relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]
) -> Iterable[Problem]:
    """Likewise for a single value that is accepted as JSON: by the branch that is meant for it."""
    if reader in loop or not isinstance(reader.schema, dict):
        return []
    target = reader.target()
    if target is not None:
        return python_types(relation, atom, target, loop | {reader})
    kind = atom.kind
    value = kind.value if isinstance(kind, Value) else None
    for key in ("anyOf", "oneOf"):
        fitting = [branch for branch in reader.children(key) if holds(branch, value) is not False]
        if fitting:
            every = [list(python_types(relation, atom, branch, loop | {reader})) for branch in fitting]
            return next((problems for problems in every if not problems), every[0])
    return list(python_type(relation, atom, reader, loop))


def values(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    """`enum` and `const`: whatever is not one of few values is too much."""
    del relation, loop
    keywords = reader.keywords
    for key in ("enum", "const"):
        if key not in keywords:
            continue
        allowed = keywords[key] if key == "enum" and isinstance(keywords[key], list) else [keywords[key]]
        few = atom.kind.few() if isinstance(atom.kind, Number) else None
        if few is not None and len(distinct(few, among=allowed)) == len(few):
            continue
        yield problem(What.VALUE, atom, reader, f"any {atom.type}", shown(allowed), at=f"/{key}")


def number(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    del relation, loop
    kind, keywords = atom.kind, reader.keywords
    if not isinstance(kind, Number):
        return
    for key, strict_key, own, own_open in (
        ("minimum", "exclusiveMinimum", kind.low, kind.low_open),
        ("maximum", "exclusiveMaximum", kind.high, kind.high_open),
    ):
        sign = 1 if key == "minimum" else -1
        strict = keywords.get(strict_key)
        if reader.document.dialect is Dialect.DRAFT4 and not isinstance(strict, bool):
            strict = None
        for bound, is_open, where in (
            (fraction(keywords.get(key)), strict is True, key),
            (fraction(strict), True, strict_key),
        ):
            if bound is None:
                continue
            inside = own is not None and (own * sign > bound * sign or (own == bound and (own_open or not is_open)))
            if not inside:
                wrote = "any number" if own is None else _shown(own)
                yield problem(What.NUMBER, atom, reader, wrote, f"{where} {_shown(bound)}", at=f"/{where}")
    wanted = fraction(keywords.get("multipleOf"))
    if wanted and not _divides(kind, wanted):
        yield problem(What.NUMBER, atom, reader, "other numbers", f"multiples of {_shown(wanted)}", at="/multipleOf")
    declared = keywords.get("format")
    if declared in NUMBER_FORMATS and not any(node.keywords.get("format") == declared for node in atom.nodes):
        yield problem(What.FORMAT, atom, reader, f"any {atom.type}", str(declared), at="/format", certain=False)


def _shown(number: Fraction) -> str:
    """Return a number in words; one that is beyond all measure as such."""
    try:
        return f"{float(number):g}"
    except OverflowError:
        return "a huge number"


def _divides(kind: Number, wanted: Any) -> bool:
    if any(multiple % wanted == 0 for multiple in kind.multiples) or (kind.integer and 1 % wanted == 0):
        return True
    few = kind.few()
    return few is not None and all(divisor % wanted == 0 for divisor in few)


def text(relation: Comparison, atom: Atom, reader: SchemaNode, loop: frozenset[SchemaNode]) -> Iterable[Problem]:
    del loop
    kind, keywords = atom.kind, reader.keywords
    if not isinstance(kind, Text):
        return
    shortest, longest = size(keywords.get("minLength")), size(keywords.get("maxLength"))
    if shortest is not None and kind.shortest < shortest:
        wrote = f"as short as {kind.shortest}"
        yield problem(What.LENGTH, atom, reader, wrote, f"at least {shortest}", at="/minLength")
    if longest is not None and (kind.longest is None or kind.longest > longest):
        wrote = "any length" if kind.longest is None else f"as long as {kind.longest}"
        yield problem(What.LENGTH, atom, reader, wrote, f"at most {longest}", at="/maxLength")
    pattern, declared = keywords.get("pattern"), keywords.get("format")
    if isinstance(pattern, str):
        relation.spend(200 * max(1, len(kind.patterns)))
        yield from _pattern(atom, kind, reader, pattern)
    if not isinstance(declared, str) or declared in LOOSE_FORMATS | NUMBER_FORMATS | kind.formats:
        return
    if not WIDER_FORMATS.get(declared, set()) & kind.formats:
        wrote = ", ".join(sorted(kind.formats)) or "any text"
        yield problem(What.FORMAT, atom, reader, wrote, declared, at="/format")


def _pattern(atom: Atom, kind: Text, reader: SchemaNode, pattern: str) -> Iterable[Problem]:
    known = [_within(own, pattern) for own in kind.patterns] or [_within("", pattern)]
    if True in known:
        return
    certain = known == [False] and len(kind.patterns) <= 1 and kind.longest is None and not kind.formats
    wrote = " and ".join(sorted(kind.patterns)) or "any text"
    yield problem(What.PATTERN, atom, reader, wrote, pattern, at="/pattern", certain=certain)


def _within(inner: str, outer: str) -> bool | None:
    try:
        return is_within(inner, outer)
    except Undecidable:
        return None


def found_in(pattern: str, name: str) -> bool | None:
    """Whether a pattern is found in a name; None where that cannot be told."""
    try:
        return matches(pattern, name)
    except Undecidable:
        return None
