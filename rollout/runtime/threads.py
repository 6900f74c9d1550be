"""How the threads of a long-lived process take turns."""

from __future__ import annotations

import sys

TURN_S = 0.03
"""Python lets another thread go on after 5 ms. Turns of rollouts are shorter than this, and whoever is interrupted in
the middle of one finds the processor's caches filled by another: a twentieth of a sample's CPU
(`make bench-controller`). Whoever must not wait, as an abort, waits so long at most for each thread before it."""


def take_longer_turns() -> None:
    """Let a thread end what it is about before another goes on."""
    sys.setswitchinterval(TURN_S)
