"""A line for a terminal: pieces of text, each with a style. Never by colour alone: every piece reads without it."""

from __future__ import annotations

import textwrap
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

    def after(self, *pieces: Piece) -> Line:
        """Return it with pieces before it."""
        return Line((*pieces, *self.pieces))

    def cut(self, width: int) -> Line:
        """Return it no wider than `width`; what is cut off is shown to be."""
        if len(self.text) <= width:
            return self
        kept, left = [], max(0, width - 1)
        for piece in self.pieces:
            kept.append(Piece(piece.text[:left], piece.style))
            left -= len(kept[-1].text)
        return Line((*(piece for piece in kept if piece.text), Piece("…")))


def line(text: str, style: str = "") -> Line:
    return Line((Piece(text, style),))


def wrapped(text: str, width: int, style: str = "") -> list[Line]:
    """Return a text as lines no wider than `width`, broken between words where they fit."""
    return [line(part, style) for part in textwrap.wrap(text, max(8, width), break_on_hyphens=False)]


def joined(parts: list[Line], width: int, gap: str = "   ") -> Iterator[Line]:
    """Yield lines that hold as many of the parts side by side as fit; one that does not fit alone is wrapped."""
    row: list[Piece] = []
    for part in parts:
        if len(part.text) > width:
            yield from [Line(tuple(row))] if row else []
            yield from wrapped(part.text, width, part.pieces[0].style)
            row = []
            continue
        taken = sum(len(piece.text) for piece in row)
        if row and taken + len(gap) + len(part.text) > width:
            yield Line(tuple(row))
            row = []
        row += [*([Piece(gap)] if row else []), *part.pieces]
    if row:
        yield Line(tuple(row))
