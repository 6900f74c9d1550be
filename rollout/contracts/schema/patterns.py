r"""Regular expressions as schemas write them (ECMA-262): does a text match, and is one pattern's language in another's?

Written here because nothing at hand does both with a bound: `re` can take exponential time, and so would hang a gate on
one hostile pattern. A text is matched by stepping through sets of states, in time proportional to its length. Engines
differ about `\d`, `\w`, `\s` and `.` beyond ASCII; what hangs on that is undecidable, as are lookarounds and
references back.
"""

from __future__ import annotations

from functools import lru_cache

from rollout.contracts.schema.automaton import WORK_MAX, Automaton, Undecidable, is_apart, is_included
from rollout.contracts.schema.grammar import Reader

TEXT_MAX = 20_000


@lru_cache(maxsize=512)
def _machine(pattern: str) -> Automaton | None:
    try:
        return Reader(pattern).read()
    except (Undecidable, RecursionError):
        return None


def machine_of(pattern: str) -> Automaton:
    """Return the machine of a pattern. Raises Undecidable for what engines disagree on, or what is too large."""
    automaton = _machine(pattern)
    if automaton is None:
        raise Undecidable
    return automaton


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text. Raises Undecidable."""
    is_match = _matches(pattern, text) if len(text) <= KEY_MAX else _matches.__wrapped__(pattern, text)
    if is_match is None:
        raise Undecidable
    return is_match


KEY_MAX = 200


@lru_cache(maxsize=50_000)
def _matches(pattern: str, text: str) -> bool | None:
    try:
        return _simulated(pattern, text)
    except Undecidable:
        return None


def _simulated(pattern: str, text: str) -> bool:
    machine = machine_of(pattern)
    if len(text) > TEXT_MAX or len(text) * machine.count > WORK_MAX * 30:
        raise Undecidable
    if (machine.doubtful and not _is_simple(text)) or (machine.last and text.endswith("\n")):
        raise Undecidable
    states = frozenset({0})
    for index, character in enumerate(text):
        states = machine.after(machine.closure(states, at_first=index == 0), ord(character))
    return machine.accepts(states, at_first=not text)


def _is_simple(text: str) -> bool:
    return text.isascii() and not {"\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f"} & set(text)


def is_within(inner: str, outer: str) -> bool:
    """Whether every text in which `inner` is found is one in which `outer` is. Raises Undecidable."""
    holds = True if inner == outer else _within(inner, outer)
    if holds is None:
        raise Undecidable
    return holds


@lru_cache(maxsize=2000)
def _within(inner: str, outer: str) -> bool | None:
    try:
        return _compared(inner, outer)
    except Undecidable:
        return None


def _compared(inner: str, outer: str) -> bool:
    one, two = machine_of(inner), machine_of(outer)
    if one.doubtful or two.doubtful:
        raise Undecidable
    return is_included(one, two)


def may_meet(one: str, two: str) -> bool:
    """Whether both patterns may be found in one text; said wrong only by saying yes."""
    return one == two or not _apart(*sorted((one, two)))


@lru_cache(maxsize=2000)
def _apart(one: str, two: str) -> bool:
    try:
        machines = machine_of(one), machine_of(two)
        return not any(machine.doubtful for machine in machines) and is_apart(*machines)
    except Undecidable:
        return False
