"""Lines on stdout: in colour on a terminal, plain anywhere else, and where NO_COLOR is set."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import typer

from rollout.cli.render.line import Line, Piece
from rollout.cli.say import plain, say


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines on stdout."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for line in lines:
        if coloured:
            typer.echo("".join(map(_styled, line.pieces)))
        else:
            say(line.text.rstrip())


def _styled(piece: Piece) -> str:
    names = piece.style.split()
    colours = [name for name in names if name not in ("bold", "dim")]
    return typer.style(
        plain(piece.text), fg=colours[0] if colours else None, bold="bold" in names or None, dim="dim" in names or None
    )
