"""Waiting for what happens elsewhere: until it holds, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 90.0
"""A busy machine needs longer than a quiet one: waits go by events, and bounds are generous."""


def eventually(holds: Callable[[], object], timeout_s: float = 90.0, why: str = "") -> None:
    """Wait until something holds; fail if it does not within a generous time. why: what that would mean."""
    end = time.monotonic() + max(timeout_s, PATIENCE_S)
    while not holds():
        assert time.monotonic() < end, why or "it did not happen"
        time.sleep(0.02)
