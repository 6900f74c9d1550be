"""Two versions side by side, as a table that breaks its lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from itertools import zip_longest

NAME_MAX, CELL_MIN = 36, 16


def table(versions: tuple[str, str], rows: Mapping[str, tuple[str, str]], width: int = 100) -> str:
    """Return a table of components: what each is in one version, and in the other; a dash where it has none."""
    first = min(NAME_MAX, max(map(len, (*rows, "COMPONENT"))))
    cell = max(CELL_MIN, (width - first - 4) // 2)
    lines = [*_row(("COMPONENT", *(version.upper() for version in versions)), first, cell)]
    for name, (one, other) in rows.items():
        lines += _row((name, one or "-", other or "-"), first, cell)
    return "\n".join(lines)


def _row(texts: tuple[str, ...], first: int, cell: int) -> Iterator[str]:
    widths = (first, cell, cell)
    columns = [textwrap.wrap(text, size) or [""] for text, size in zip(texts, widths, strict=True)]
    for parts in zip_longest(*columns, fillvalue=""):
        yield "  ".join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()
