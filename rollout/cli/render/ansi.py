"""Lines on stdout: in colour on a terminal, plain anywhere else, and where NO_COLOR is set."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from rollout.cli.plain import fitting, plain
from rollout.cli.render.line import Line, Piece

CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36}
"""ECMA-48, SGR."""


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines on stdout."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for line in lines:
        text = "".join(map(_styled, line.pieces)) if coloured else plain(line.text.rstrip())
        print(fitting(text, sys.stdout))  # noqa: T201


def _styled(piece: Piece) -> str:
    text, codes = plain(piece.text), [str(CODES[name]) for name in piece.style.split()]
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and text else text
