"""README's commands, for the tests that follow it to the letter."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def block_with(beginning: str) -> list[str]:
    """The command lines of the one block that has a line which begins so; comments stay: a shell takes them for some."""
    blocks = [part.strip().splitlines() for part in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL)]
    found = [block for block in blocks if any(line.startswith(beginning) for line in block)]
    assert len(found) == 1, beginning
    return found[0]


def named_in_the_text() -> list[str]:
    """Commands of ours that the text names beside the blocks."""
    prose = re.sub(r"```\n.*?```", "", TEXT, flags=re.DOTALL)
    return re.findall(r"`((?:rollout|make) [^`]+)`", prose)
