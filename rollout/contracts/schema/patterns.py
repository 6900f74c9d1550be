r"""Regular expressions as schemas write them (ECMA-262): does a text match, and is one pattern's language in another's?

Written here because nothing at hand does both with a bound: `re` can take exponential time, and so would hang a gate on
one hostile pattern. A text is matched by stepping through sets of states, in time proportional to its length. Engines
differ about `\d`, `\w`, `\s` and `.` beyond ASCII; what hangs on that is undecidable, as are lookarounds and
references back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

STATES_MAX = 1500
PAIRS_MAX = 2000
WORK_MAX = 60_000
"""So many single steps, of one automaton from one state, one question may take."""

TEXT_MAX = 20_000
LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


class Undecidable(Exception):  # noqa: N818  an answer, not a failure
    """It cannot be told, or not within bounds."""


_ASCII: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_ENDS_OF_LINES: Ranges = ((10, 10), (13, 13), (0x2028, 0x2029))
_HEX = frozenset("0123456789abcdefABCDEF")
_PLAIN = {"t": 9, "n": 10, "r": 13, "f": 12, "v": 11, "0": 0}


@dataclass(slots=True)
class Machine:
    """A nondeterministic automaton. steps: by state, what it may consume and where to. free: without consuming.

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
        found, pending = set(states), list(states)
        while pending:
            state = pending.pop()
            reached = list(self.free.get(state, ()))
            reached += self.first.get(state, ()) if at_first else ()
            reached += self.last.get(state, ()) if at_last else ()
            pending += [each for each in reached if each not in found]
            found.update(reached)
        return frozenset(found)

    def after(self, states: frozenset[int], code: int) -> frozenset[int]:
        """Return the states after one character."""
        return frozenset(to for state in states for ranges, to in self.steps.get(state, ()) if _in(ranges, code))

    def accepts(self, states: frozenset[int], *, at_first: bool) -> bool:
        return self.end in self.closure(states, at_first=at_first, at_last=True)


def _in(ranges: Ranges, code: int) -> bool:
    index = bisect_right(ranges, (code, LAST + 1)) - 1
    return index >= 0 and ranges[index][0] <= code <= ranges[index][1]


def _sorted(ranges: Iterator[tuple[int, int]] | Ranges) -> Ranges:
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def _without(ranges: Ranges) -> Ranges:
    found, start = [], 0
    for low, high in _sorted(ranges):
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return (*found, (start, LAST)) if start <= LAST else tuple(found)


class _Reader:
    """Reads a pattern into a machine: recursive descent, one method a level of the grammar."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at, self.machine = pattern, 0, Machine()

    def read(self) -> Machine:
        """Return a machine that accepts the texts in which the pattern is found."""
        machine, start = self.machine, self.machine.state()
        machine.steps[start] = [(((0, LAST),), start)]
        first, last = self._alternatives()
        if self._at < len(self._text):
            raise Undecidable
        machine.free.setdefault(start, []).append(first)
        machine.steps.setdefault(last, []).append((((0, LAST),), last))
        machine.end = last
        return machine

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise Undecidable
        self._at += 1
        return self._text[self._at - 1]

    def _join(self, one: int, two: int) -> None:
        self.machine.free.setdefault(one, []).append(two)

    def _alternatives(self) -> tuple[int, int]:
        first, last = self.machine.state(), self.machine.state()
        while True:
            one, two = self._sequence()
            self._join(first, one)
            self._join(two, last)
            if not self._take("|"):
                return first, last

    def _sequence(self) -> tuple[int, int]:
        first = last = self.machine.state()
        while self._peek() not in ("", "|", ")"):
            one, two = self._repeated()
            self._join(last, one)
            last = two
        return first, last

    def _repeated(self) -> tuple[int, int]:
        began = self._at
        found = self._one()
        ended, bounds = self._at, self._bounds()
        if bounds is None:
            return found
        if self._peek() in ("*", "+", "?", "{"):  # twice over: an error to some engines
            raise Undecidable
        fewest, most = bounds
        resume, self._at = self._at, began
        first = last = self.machine.state()
        for index in range(max(fewest, most or 0)):
            one, two = found if index == 0 else self._again(began, ended)
            self._join(last, one)
            if index >= fewest:
                self._join(one, two)
            last = two
        if most is None:
            one, two = found if fewest == 0 else self._again(began, ended)
            self._join(last, one)
            self._join(one, two)
            self._join(two, one)
            last = two
        self._at = resume
        return first, last

    def _again(self, began: int, ended: int) -> tuple[int, int]:
        self._at = began
        found = self._one()
        assert self._at == ended
        return found

    def _bounds(self) -> tuple[int, int | None] | None:
        """Return how often what was read may come; None where nothing is said."""
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(mark):
                self._take("?")
                return bounds
        close = self._text.find("}", self._at)
        if self._peek() != "{" or close < 0:
            return None
        low, comma, high = self._text[self._at + 1 : close].partition(",")
        if not _is_number(low) or (high and not _is_number(high)):
            raise Undecidable
        self._at = close + 1
        self._take("?")
        most = int(high) if high else None if comma else int(low)
        if int(low) > STATES_MAX or (most or 0) > STATES_MAX or (most is not None and most < int(low)):
            raise Undecidable
        return int(low), most

    def _one(self) -> tuple[int, int]:
        machine = self.machine
        match self._next():
            case "(":
                return self._group()
            case "^" | "$" as mark:
                first, last = machine.state(), machine.state()
                (machine.first if mark == "^" else machine.last).setdefault(first, []).append(last)
                return first, last
            case ".":
                machine.doubtful = True
                return self._consume(_without(_ENDS_OF_LINES))
            case "[":
                return self._consume(self._class())
            case "\\":
                return self._consume(self._escape())
            case "*" | "+" | "?":
                raise Undecidable
            case character:
                return self._consume(((ord(character), ord(character)),))

    def _group(self) -> tuple[int, int]:
        if self._take("?") and not self._take(":"):
            if not self._take("<") or self._peek() in ("=", "!"):
                raise Undecidable
            while self._next() != ">":
                pass
        found = self._alternatives()
        if not self._take(")"):
            raise Undecidable
        return found

    def _consume(self, ranges: Ranges) -> tuple[int, int]:
        first, last = self.machine.state(), self.machine.state()
        self.machine.steps.setdefault(first, []).append((ranges, last))
        return first, last

    def _escape(self) -> Ranges:
        character = self._next()
        if character.lower() in _ASCII:
            self.machine.doubtful = True
            found = _ASCII[character.lower()]
            return found if character.islower() else _without(found)
        code = self._code(character)
        return ((code, code),)

    def _code(self, character: str) -> int:
        """Return the code point that an escape stands for."""
        if character in _PLAIN and not (character == "0" and self._peek().isdigit()):
            return _PLAIN[character]
        if character == "c" and self._peek().isascii() and self._peek().isalpha():
            return ord(self._next()) % 32
        if character in ("x", "u"):
            if character == "u" and self._take("{"):
                close = self._text.find("}", self._at)
                digits, self._at = self._text[self._at : close], close + 1
            else:
                size = 2 if character == "x" else 4
                digits, self._at = self._text[self._at : self._at + size], self._at + size
                if len(digits) != size:
                    raise Undecidable
            if not digits or not set(digits) <= _HEX or int(digits, 16) > LAST:
                raise Undecidable
            return int(digits, 16)
        if character.isalnum():  # word boundaries, properties, references back, and whatever else there may be
            raise Undecidable
        return ord(character)

    def _class(self) -> Ranges:
        negated, found = self._take("^"), list[tuple[int, int]]()
        while not self._take("]"):
            low = self._member(found)
            if low is None or self._peek() != "-" or self._text[self._at + 1 : self._at + 2] == "]":
                found += [(low, low)] if low is not None else []
                continue
            self._at += 1
            high = self._member(found)
            if high is None or high < low:
                raise Undecidable
            found.append((low, high))
        ranges = _sorted(tuple(found))
        return _without(ranges) if negated else ranges

    def _member(self, found: list[tuple[int, int]]) -> int | None:
        """Read one member of a class: a character, or a set, which goes into `found`."""
        character = self._next()
        if character == "[":  # nested sets mean different things to different engines
            raise Undecidable
        if character != "\\":
            return ord(character)
        character = self._next()
        if character == "b":
            return 8
        if character.lower() in _ASCII:
            self._at -= 1
            found += self._escape()
            return None
        return self._code(character)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(STATES_MAX))


@lru_cache(maxsize=512)
def _machine(pattern: str) -> Machine | None:
    try:
        return _Reader(pattern).read()
    except (Undecidable, RecursionError):
        return None


def machine_of(pattern: str) -> Machine:
    """Return the machine of a pattern. Raises Undecidable for what engines disagree on, or what is too large."""
    found = _machine(pattern)
    if found is None:
        raise Undecidable
    return found


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text. Raises Undecidable."""
    found = _matches(pattern, text) if len(text) <= KEY_MAX else _matches.__wrapped__(pattern, text)
    if found is None:
        raise Undecidable
    return found


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
    found = True if inner == outer else _within(inner, outer)
    if found is None:
        raise Undecidable
    return found


@lru_cache(maxsize=2000)
def _within(inner: str, outer: str) -> bool | None:
    try:
        return _product(inner, outer)
    except Undecidable:
        return None


def _product(inner: str, outer: str) -> bool:
    """Walk the product of both machines, made deterministic as far as it is walked."""
    one, two = machine_of(inner), machine_of(outer)
    if one.doubtful or two.doubtful:
        raise Undecidable
    codes = _samples(one, two)
    start = (frozenset({0}), frozenset({0}), True)
    seen, pending, work = {start}, [start], 0
    while pending:
        left, right, at_first = pending.pop()
        if one.accepts(left, at_first=at_first) and not two.accepts(right, at_first=at_first):
            return False
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
    return True


def _samples(*machines: Machine) -> list[int]:
    """Return one character for each set of characters that no machine tells apart."""
    bounds = {0}
    for machine in machines:
        for steps in machine.steps.values():
            for ranges, _ in steps:
                bounds.update(edge for low, high in ranges for edge in (low, high + 1))
    return sorted(bound for bound in bounds if bound <= LAST)
