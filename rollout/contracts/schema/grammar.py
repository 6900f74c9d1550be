"""Regular expressions (ECMA-262, without lookarounds and references back) into automata. Recursive descent."""

from __future__ import annotations

from rollout.contracts.schema.automaton import LAST, STATES_MAX, Automaton, Ranges, Undecidable, joined, without

_ASCII: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_ENDS_OF_LINES: Ranges = ((10, 10), (13, 13), (0x2028, 0x2029))
_HEX = frozenset("0123456789abcdefABCDEF")
_PLAIN = {"t": 9, "n": 10, "r": 13, "f": 12, "v": 11, "0": 0}


class Reader:
    """Reads a pattern into a machine: recursive descent, one method a level of the grammar."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at, self.machine = pattern, 0, Automaton()

    def read(self) -> Automaton:
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
        once = self._one()
        ended, bounds = self._at, self._bounds()
        if bounds is None:
            return once
        if self._peek() in ("*", "+", "?", "{"):  # twice over: an error to some engines
            raise Undecidable
        fewest, most = bounds
        resume, self._at = self._at, began
        first = last = self.machine.state()
        for index in range(max(fewest, most or 0)):
            one, two = once if index == 0 else self._again(began, ended)
            self._join(last, one)
            if index >= fewest:
                self._join(one, two)
            last = two
        if most is None:
            one, two = once if fewest == 0 else self._again(began, ended)
            self._join(last, one)
            self._join(one, two)
            self._join(two, one)
            last = two
        self._at = resume
        return first, last

    def _again(self, began: int, ended: int) -> tuple[int, int]:
        self._at = began
        once = self._one()
        assert self._at == ended
        return once

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
                return self._consume(without(_ENDS_OF_LINES))
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
        inner = self._alternatives()
        if not self._take(")"):
            raise Undecidable
        return inner

    def _consume(self, ranges: Ranges) -> tuple[int, int]:
        first, last = self.machine.state(), self.machine.state()
        self.machine.steps.setdefault(first, []).append((ranges, last))
        return first, last

    def _escape(self) -> Ranges:
        character = self._next()
        if character.lower() in _ASCII:
            self.machine.doubtful = True
            characters = _ASCII[character.lower()]
            return characters if character.islower() else without(characters)
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
        negated, members = self._take("^"), list[tuple[int, int]]()
        while not self._take("]"):
            low = self._member(members)
            if low is None or self._peek() != "-" or self._text[self._at + 1 : self._at + 2] == "]":
                members += [(low, low)] if low is not None else []
                continue
            self._at += 1
            high = self._member(members)
            if high is None or high < low:
                raise Undecidable
            members.append((low, high))
        ranges = joined(tuple(members))
        return without(ranges) if negated else ranges

    def _member(self, members: list[tuple[int, int]]) -> int | None:
        """Read one member of a class: a character, or a set, which goes into `members`."""
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
            members += self._escape()
            return None
        return self._code(character)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(STATES_MAX))
