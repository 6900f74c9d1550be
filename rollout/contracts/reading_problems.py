"""What a reader cannot make of what a writer wrote, where, and which keys have but another name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from rollout.contracts.comparison import Side
from rollout.contracts.schema.document import SchemaNode, escape
from rollout.contracts.schema.problems import Problem, What
from rollout.contracts.schema.relation import compare
from rollout.model.agent_state import Severity

RENAMED_MAX = 20
"""Of so many keys that went it is asked whether they were renamed."""

ALIKE = 0.6
"""Names more alike than this, of one schema, are one key renamed."""


def new_problems(side: Side, writer: SchemaNode, reader: SchemaNode, own: SchemaNode | None) -> Iterable[Problem]:
    """Return what a reader cannot make of what is written, and the writer's own version could."""
    problems = compare(writer, reader, side.options, side.budget)
    if not problems or own is None or side.writes.is_bare or side.reads.is_bare:
        return problems
    known = {_gist(problem) for problem in compare(writer, own, side.options, side.own_budget)}
    return [problem for problem in problems if _gist(problem) not in known]


def place_of(problem: Problem, state: str = "/state") -> str:
    """Return the pointer to the key that a problem is about, or to the keyword of the reader that it is about."""
    name = escape(problem.name)
    if problem.what is What.MEMBER and name:
        return f"{state}/writer{problem.writer}/properties/{name}"
    if problem.what in (What.REQUIRED, What.OPTIONAL) and name:
        return f"{state}/reader{problem.reader.removesuffix('/required')}/properties/{name}"
    return f"{state}/reader{problem.reader}"


def _gist(problem: Problem) -> tuple[object, ...]:
    return problem.what, problem.writer, problem.wrote, problem.expects


def renamed(
    side: Side, written: dict[str, SchemaNode], known: dict[str, SchemaNode]
) -> list[tuple[str, str, Severity]]:
    """Return the keys that look renamed: one gone, one new, of the same schema."""
    gone, new = sorted(written.keys() - known.keys())[:RENAMED_MAX], sorted(known.keys() - written.keys())[:RENAMED_MAX]
    pairs = []
    for name in gone:
        same = [other for other in new if says_the_same(side, written[name], known[other])]
        close = [other for other in same if SequenceMatcher(None, name, other).ratio() >= ALIKE]
        if close:
            pairs.append((name, close[0], Severity.BREAK))
        elif len(gone) == len(new) == 1 and same:
            pairs.append((name, same[0], Severity.RISK))
    return pairs


def says_the_same(side: Side, one: SchemaNode, two: SchemaNode) -> bool:
    """Whether two schemas take the same values."""
    return not (compare(one, two, side.options, side.budget) or compare(two, one, side.options, side.budget))
