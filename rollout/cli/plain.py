"""What others have said, as a terminal shows it: a page, a webhook or an object may hold bytes that steer one."""

from __future__ import annotations

import re
from typing import IO

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All control characters but line breaks and tabs, and those that turn the direction of writing."""

SHOWN = "\ufffd"

_IN_ASCII = str.maketrans(
    {
        "├": "|", "└": "`", "│": "|", "─": "-", "┃": "|", "█": "#", "░": ".", "✔": "+", "✖": "x", "◌": "o", "‖": "=",
        "⚠": "!", "·": "-", "→": ">", "…": "~", "▏": "#", "▎": "#", "▍": "#", "▌": "#", "▋": "#", "▊": "#",
        "▉": "#", SHOWN: "?",
    }
)  # fmt: skip
"""A letter for a letter, so that columns stay where they are."""


def plain(text: str) -> str:
    """Return a text that a terminal shows and does not obey."""
    return _CONTROL.sub(SHOWN, text.replace("\r\n", "\n"))


def fitting(text: str, stream: IO[str]) -> str:
    """Return a text that a stream can write: one whose encoding has no lines and bars gets others for them."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.translate(_IN_ASCII).encode(encoding, "replace").decode(encoding)
    return text
