"""Bars of one line: a share, and evidence on its way to a threshold."""

from __future__ import annotations

from rollout.cli.render.line import Line, Piece

FULL, EMPTY, THRESHOLD = "█", "░", "┃"
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")

BEYOND = 2
"""How many cells a bar of evidence has beyond its threshold."""


def share_bar(fraction: float, width: int, style: str) -> Line:
    """Return a bar of a share, 0 to 1, to an eighth of a cell. What is not nothing is seen."""
    eighths = round(min(1.0, max(0.0, fraction)) * width * 8)
    if fraction > 0:
        eighths = max(1, eighths)
    filled = FULL * (eighths // 8) + EIGHTHS[eighths % 8]
    return Line((Piece(filled, style), Piece(EMPTY * (width - len(filled)), "dim")))


def evidence_bar(done: float, width: int, style: str) -> Line:
    """Return a bar of evidence with its threshold marked.

    Args:
        done: how far it has come, on a log scale; 1 is the threshold.
    """
    before = width - 1 - BEYOND
    filled = before if done >= 1.0 else min(before - 1, int(max(0.0, done) * before + 0.5))
    reached = done >= 1.0
    return Line(
        (
            Piece(FULL * filled, style),
            Piece(EMPTY * (before - filled), "dim"),
            Piece(THRESHOLD, "bold"),
            Piece((FULL if reached else EMPTY) * BEYOND, style if reached else "dim"),
        )
    )
