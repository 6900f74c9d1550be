"""How help is laid out: sections of two columns, aligned, broken between words and never cut off."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Iterator

from rollout.cli.verbs import SECTIONS

COLUMNS_MAX = 100
NAMES_MAX = 30
"""A name longer than this stands on a line of its own."""

ABOUT = "Release new versions of AI agents safely: shift conversations, judge with evidence, record each reason."
START = (
    "rollout demo  # see it work on this machine, in three minutes",
    "rollout init  # then: rollout start v2",
)
OPTIONS = (
    ("--version", "Print the version and exit."),
    ("--install-completion", "Install completion for the current shell."),
    ("--show-completion", "Show completion for the current shell, to copy it or change it."),
    ("-h, --help", "Show this message and exit."),
)

Rows = Iterable[tuple[str, str]]


def columns() -> int:
    """Return how wide help may be: the terminal, up to what reads well."""
    try:
        wide = int(os.environ.get("COLUMNS", "")) or COLUMNS_MAX
    except ValueError:
        try:
            wide = os.get_terminal_size(1).columns
        except OSError:
            wide = 80
    return max(40, min(COLUMNS_MAX, wide))


def root_help(width: int) -> str:
    """Return the help of `rollout` itself."""
    sections = [(title, [(verb.name, verb.summary) for verb in verbs]) for title, verbs in SECTIONS.items()]
    return "\n".join(
        [
            *textwrap.wrap(ABOUT, width),
            "",
            "Usage: rollout COMMAND [OPTIONS]",
            "",
            *examples(START, width),
            *laid_out(sections, width),
            *laid_out([("Options", OPTIONS)], width),
            "",
            *textwrap.wrap("See `rollout COMMAND --help` for the options and examples of a command.", width),
        ]
    )


def examples(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yield command lines with what they do: beside them where all fit, else above each."""
    parts = [line.partition("  # ") for line in lines]
    widest = max((len(command) for command, _, comment in parts if comment), default=0)
    beside = all(2 + widest + 4 + len(comment) <= width for _, _, comment in parts if comment)
    yield "Examples:" if len(parts) > 1 else "Example:"
    for command, _, comment in parts:
        if comment and beside:
            yield f"  {command.ljust(widest)}  # {comment}"
        else:
            yield from [f"  # {comment}"] if comment else []
            yield from _continued(command, width)


def _continued(command: str, width: int) -> Iterator[str]:
    """Yield a command line, continued before an option where it is too long, as a shell reads it."""
    line = "  "
    for part in re.split(r" (?=--?\w)", command):
        if len(line) + len(part) + 3 > width and line.strip():
            yield f"{line.rstrip()} \\"
            line = "      "
        line += f"{part} "
    yield line.rstrip()


def laid_out(sections: Iterable[tuple[str, Rows]], width: int) -> Iterator[str]:
    """Yield sections of names and what they mean, all in the same columns."""
    written = [(title, list(rows)) for title, rows in sections]
    names = [len(name) for _, rows in written for name, _ in rows if len(name) <= NAMES_MAX]
    column = min(max(names, default=0) + 2, max(8, width // 2 - 2))
    for title, rows in written:
        if rows:
            yield from ("", f"{title}:")
            for name, meaning in rows:
                yield from _row(name, meaning, column, width)


def _row(name: str, meaning: str, column: int, width: int) -> Iterator[str]:
    lines = textwrap.wrap(meaning, max(16, width - column - 2), break_on_hyphens=False) or [""]
    if len(name) + 2 > column:
        yield f"  {name}"
    else:
        yield f"  {name.ljust(column)}{lines.pop(0)}".rstrip()
    for line in lines:
        yield f"  {'':{column}}{line}"
