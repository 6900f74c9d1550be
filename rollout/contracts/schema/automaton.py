"""Nondeterministic automata over code points, and whether one's language lies in another's: all of it bounded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

STATES_MAX = 1500
PAIRS_MAX = 2000
WORK_MAX = 60_000
"""So many single steps, of one automaton from one state, one question may take."""

LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


class Undecidable(Exception):  # noqa: N818  an answer, not a failure
    """It cannot be told, or not within bounds."""


@dataclass(slots=True)
class Automaton:
    """A nondeterministic automaton.

    Attributes:
        steps: by state, what it may consume and where to.
        free: without consuming.
        first, last: edges that are free only at the beginning, or at the end, of the text.
    """

    steps: dict[int, list[tuple[Ranges, int]]] = field(default_factory=dict)
    free: dict[int, list[int]] = field(default_factory=dict)
    first: dict[int, list[int]] = field(default_factory=dict)
    last: dict[int, list[int]] = field(default_factory=dict)
    doubtful: bool = False
    count: int = 0
    end: int = -1

    def state(self) -> int:
        self.count += 1
        if self.count > STATES_MAX:
            raise Undecidable
        return self.count - 1

    def closure(self, states: frozenset[int], *, at_first: bool, at_last: bool = False) -> frozenset[int]:
        """Return every state that can be reached without consuming anything."""
        closed, pending = set(states), list(states)
        while pending:
            state = pending.pop()
            reached = list(self.free.get(state, ()))
            reached += self.first.get(state, ()) if at_first else ()
            reached += self.last.get(state, ()) if at_last else ()
            pending += [start for start in reached if start not in closed]
            closed.update(reached)
        return frozenset(closed)

    def after(self, states: frozenset[int], code: int) -> frozenset[int]:
        """Return the states after one character."""
        return frozenset(to for state in states for ranges, to in self.steps.get(state, ()) if _in(ranges, code))

    def accepts(self, states: frozenset[int], *, at_first: bool) -> bool:
        return self.end in self.closure(states, at_first=at_first, at_last=True)


def _in(ranges: Ranges, code: int) -> bool:
    index = bisect_right(ranges, (code, LAST + 1)) - 1
    return index >= 0 and ranges[index][0] <= code <= ranges[index][1]


def joined(ranges: Iterator[tuple[int, int]] | Ranges) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def without(ranges: Ranges) -> Ranges:
    gaps, start = [], 0
    for low, high in joined(ranges):
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    return (*gaps, (start, LAST)) if start <= LAST else tuple(gaps)


def is_included(one: Automaton, two: Automaton) -> bool:
    """Whether every text that the one accepts is accepted by the other."""
    return not any(accepted and not by_two for accepted, by_two in _outcomes(one, two))


def is_apart(one: Automaton, two: Automaton) -> bool:
    """Whether no text is accepted by both."""
    return not any(accepted and by_two for accepted, by_two in _outcomes(one, two))


def _outcomes(one: Automaton, two: Automaton) -> Iterator[tuple[bool, bool]]:
    """Walk the product of both machines, made deterministic as far as it is walked: which of them accept. Bounded."""
    codes = _samples(one, two)
    start = (frozenset({0}), frozenset({0}), True)
    seen, pending, work = {start}, [start], 0
    while pending:
        left, right, at_first = pending.pop()
        yield one.accepts(left, at_first=at_first), two.accepts(right, at_first=at_first)
        left, right = one.closure(left, at_first=at_first), two.closure(right, at_first=at_first)
        work += len(codes) * (len(left) + len(right))
        if work > WORK_MAX:
            raise Undecidable
        for code in codes:
            pair = (one.after(left, code), two.after(right, code), False)
            if pair[0] and pair not in seen:
                seen.add(pair)
                pending.append(pair)
        if len(seen) > PAIRS_MAX:
            raise Undecidable


def _samples(*machines: Automaton) -> list[int]:
    """Return one character for each set of characters that no machine tells apart."""
    bounds = {0}
    for machine in machines:
        for steps in machine.steps.values():
            for ranges, _ in steps:
                bounds.update(edge for low, high in ranges for edge in (low, high + 1))
    return sorted(bound for bound in bounds if bound <= LAST)
