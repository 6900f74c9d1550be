"""The wall clock, at the edge."""

from __future__ import annotations

from datetime import UTC, datetime


class WallClock:
    """Time as the machine tells it."""

    def now(self) -> datetime:
        return datetime.now(UTC)
