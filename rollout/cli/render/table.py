"""A table whose columns are as wide as what is in them; on a terminal the last one is wrapped under itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from rollout.cli.render.line import cells, wrapped

GAP = "  "
LAST_MIN = 24
"""With less room than this the last column is not wrapped: it would be a column of letters."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table.

    Args:
        width: of the terminal; None where nobody wraps: a line for each row, for programs that read lines.
    """
    columns = [max(cells(row[index]) for row in (head, *rows)) for index in range(len(head) - 1)]
    before = sum(columns) + len(GAP) * len(columns)
    lines = []
    for row in (head, *rows):
        first = "".join(
            f"{cell}{' ' * (size - cells(cell))}{GAP}" for cell, size in zip(row[:-1], columns, strict=True)
        )
        last = row[-1]
        if width is None or width - before < LAST_MIN:
            lines.append(f"{first}{last}".rstrip())
            continue
        parts = [line.text for line in wrapped(last, width - before)] or [""]
        lines += [f"{first if not index else ' ' * before}{part}".rstrip() for index, part in enumerate(parts)]
    return lines


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def hanging(text: str, indent: int, width: int | None) -> list[str]:
    """Return a text whose further lines stand under its first, `indent` columns in."""
    if width is None or width - indent < LAST_MIN:
        return [text]
    first, rest = text[:indent], text[indent:]
    parts = [line.text for line in wrapped(rest, width - indent)]
    return [f"{first if not index else ' ' * indent}{part}" for index, part in enumerate(parts)] or [first]


def terminal_width() -> int | None:
    """Return how wide the terminal is; None where stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
