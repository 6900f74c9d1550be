"""A line for a terminal: pieces of text, each with a style. Never by colour alone: every piece reads without it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """Text with a style: words such as ``bold``, ``dim`` and a colour's name, as rich and typer know them."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, from left to right."""

    pieces: tuple[Piece, ...] = ()

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def cells(self) -> int:
        """How many columns it takes."""
        return sum(cells(piece.text) for piece in self.pieces)

    def after(self, *pieces: Piece) -> Line:
        """Return it with pieces before it."""
        return Line((*pieces, *self.pieces))

    def cut(self, width: int) -> Line:
        """Return it no wider than `width`; what is cut off is shown to be."""
        if self.cells <= width:
            return self
        kept, left = [], max(0, width - 1)
        for piece in self.pieces:
            text = piece.text
            while cells(text) > left:
                text = text[:-1]
            kept.append(Piece(text, piece.style))
            left -= cells(text)
        return Line((*(piece for piece in kept if piece.text), Piece("…")))


def line(text: str, style: str = "") -> Line:
    return Line((Piece(text, style),))


def cells(text: str) -> int:
    """Return how many columns a text takes: letters of some scripts are two wide."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def _cells_of(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def wrapped(text: str, width: int, style: str = "") -> list[Line]:
    """Return a text as lines no wider than `width`, broken between words where they fit."""
    width, lines, row = max(8, width), [], ""
    for word in text.split():
        joined_up = f"{row} {word}" if row else word
        if cells(joined_up) <= width:
            row = joined_up
            continue
        lines += [row] if row else []
        *full, row = _pieces(word, width)
        lines += full
    return [line(part, style) for part in [*lines, row] if part]


def _pieces(word: str, width: int) -> list[str]:
    """Return a word in pieces that fit."""
    pieces, piece = [], ""
    for letter in word:
        if cells(piece + letter) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


def joined(parts: list[Line], width: int, gap: str = "   ") -> Iterator[Line]:
    """Yield lines that hold as many of the parts side by side as fit; one that does not fit alone is wrapped."""
    row: list[Piece] = []
    for part in parts:
        if part.cells > width:
            yield from [Line(tuple(row))] if row else []
            yield from wrapped(part.text, width, part.pieces[0].style)
            row = []
            continue
        taken = sum(cells(piece.text) for piece in row)
        if row and taken + len(gap) + part.cells > width:
            yield Line(tuple(row))
            row = []
        row += [*([Piece(gap)] if row else []), *part.pieces]
    if row:
        yield Line(tuple(row))
