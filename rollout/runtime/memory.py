"""How a long-lived process with many threads keeps its memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator

YOUNG = 20_000
"""Python looks once 700 objects were made. A turn makes thousands, nearly all of which go by themselves: looking took
a tenth of the CPU of a sample (`make bench-controller`)."""

OLDER = 20
OLDEST = 50

M_ARENA_MAX = -8
"""glibc's name for it: mallopt(3)."""

ARENAS = 2


def collect_seldom() -> None:
    """Look less often for cycles, and never again at what there is by now: code and models stay to the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)


def share_arenas() -> bool:
    """Let threads share the memory that was freed; return whether the C library can. Call it before there are any.

    glibc gives each an arena of its own, eight for each core, and what one has freed no other uses: with some thirty
    threads that take turns, that is memory which nobody has.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS))
    except (AttributeError, OSError):  # another C library
        return False


@contextlib.contextmanager
def not_imported(package: str) -> Iterator[None]:
    """Let what is imported meanwhile do without a package that it can do without, as if it were not installed.

    structlog and httpx import rich wherever it is installed: 3.5 MB in a daemon, which has no terminal to draw on.
    """
    is_there = package in sys.modules
    if not is_there:
        sys.modules[package] = None  # type: ignore[assignment]  # whoever imports it gets an ImportError
    try:
        yield
    finally:
        if not is_there:
            del sys.modules[package]
