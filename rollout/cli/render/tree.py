"""A tree of labelled lines, as it is drawn in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rollout.cli.render.line import Line, Piece, joined, wrapped

Content = Callable[[int], list[Line]]
"""What stands beside a label: lines no wider than a number of columns."""

LABEL_COLUMNS = 8
ROOM_MIN = 16
"""With less room than this beside a label, what stands beside it stands under it."""

WIDTH_MIN = 32
"""Narrower than this nothing is drawn: lines are cut."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A label, what stands beside it, and what hangs below it."""

    label: str
    content: Content = field(default=lambda _width: [])
    below: tuple[Branch, ...] = ()
    style: str = ""


def text(label: str, content: str, style: str = "") -> Branch:
    """Return a branch with a text, broken between words."""
    return Branch(label, lambda width: wrapped(content, width, style), style=style)


def drawn(head: list[Line], branches: list[Branch], width: int) -> list[Line]:
    """Return a whole tree, no line wider than `width`.

    Args:
        head: parts that stand side by side above it, as far as they fit.
    """
    width = max(WIDTH_MIN, width)
    return [*joined(head, width, "  "), *(one.cut(width) for one in _below(branches, "", width, LABEL_COLUMNS))]


def _below(branches: Sequence[Branch], indent: str, width: int, label_columns: int) -> Iterator[Line]:
    for index, branch in enumerate(branches):
        last = index == len(branches) - 1
        first, further = indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  ")
        yield from _beside(branch, first, further, width, label_columns)
        columns = max((len(below.label) for below in branch.below), default=0)
        yield from _below(branch.below, further, width, columns + 2)


def _beside(branch: Branch, first: str, further: str, width: int, label_columns: int) -> Iterator[Line]:
    """Yield a label with its content beside it; where there is no room for that, under it."""
    label = Piece(branch.label.ljust(label_columns), branch.style or "bold")
    room = width - len(first) - len(label.text)
    if room < ROOM_MIN:
        yield Line((Piece(first, "dim"), Piece(branch.label, label.style)))
        label, room = Piece("  "), width - len(further) - 2
        first = further
    rest = Piece(further + ("│" if branch.below else " ").ljust(len(label.text)), "dim")
    for number, part in enumerate(branch.content(room) or [Line()]):
        yield part.after(Piece(first, "dim"), label) if number == 0 else part.after(rest)
