"""Open conversations by version, counted on a thread of its own: no turn waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rollout.engine.facts import ConversationCount
from rollout.errors import Unavailable

EVERY_S = 5.0
KEPT_S = 60.0
"""A count older than this says nothing of now."""

Count = Callable[[str], int]
"""How many conversations of a version are open. Raises Unavailable: what is not known is not zero."""


@dataclass(frozen=True, slots=True)
class _Counted:
    seen: ConversationCount
    at_s: float


def _aged(counted: _Counted, now: float) -> ConversationCount:
    age_s = now - counted.at_s
    if age_s > KEPT_S:
        return ConversationCount(problem=f"they were last counted {age_s:.0f} s ago")
    return replace(counted.seen, age_s=age_s)


class ConversationCounter:
    """Counts for one rollout. At most one count is under way at a time."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._counted: dict[str, _Counted] = {}
        self._counting: threading.Thread | None = None
        self._due_s = 0.0

    def open(self, versions: tuple[str, ...]) -> Mapping[str, ConversationCount]:
        """Return the newest counts, of what was counted at all; begin others if it is time."""
        now = time.monotonic()
        is_due = now >= self._due_s or any(version not in self._counted for version in versions)
        if is_due and (self._counting is None or not self._counting.is_alive()):
            self._due_s = now + EVERY_S
            self._counting = threading.Thread(
                target=self._count_all, args=(versions,), name="open conversations", daemon=True
            )
            self._counting.start()
        counted = self._counted
        return {version: _aged(counted[version], now) for version in versions if version in counted}

    def _count_all(self, versions: tuple[str, ...]) -> None:
        counted: dict[str, _Counted] = {}
        for version in versions:
            began_s = time.monotonic()
            counted[version] = _Counted(self._ask(version), began_s)
        self._counted = counted

    def _ask(self, version: str) -> ConversationCount:
        try:
            return ConversationCount(self._count(version))
        except Unavailable as error:
            return ConversationCount(problem=str(error))
        except Exception as error:  # noqa: BLE001  on this thread nobody else would hear of it
            return ConversationCount(problem=f"they cannot be counted: {type(error).__name__}")
