"""What others have said, as a terminal shows it: a page, a webhook or an object may hold bytes that steer one."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All control characters but line breaks and tabs, and those that turn the direction of writing."""

SHOWN = "\ufffd"


def plain(text: str) -> str:
    """Return a text that a terminal shows and does not obey."""
    return _CONTROL.sub(SHOWN, text.replace("\r\n", "\n"))
