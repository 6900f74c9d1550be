"""A queue of keys for several workers: one key is never in two hands, and none is lost.

A key that is added while it waits is one entry; added while it is worked on, it waits until that is done and comes once
more. Timers and watches only add; what to do is found out from the records.
"""

from __future__ import annotations

import threading
from collections import deque


class WorkQueue:
    """Bounded by the number of keys, since no key is in it twice."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._queued: set[str] = set()
        self._working: set[str] = set()
        self._closed = False

    def add(self, key: str) -> None:
        """Let a key be worked on soon."""
        with self._changed:
            if self._closed or key in self._queued:
                return
            self._queued.add(key)
            if key not in self._working:
                self._waiting.append(key)
                self._changed.notify()

    def take(self) -> str | None:
        """Wait for a key and return it; None once the queue is closed. Hand it back with `done`."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            key = self._waiting.popleft()
            self._queued.discard(key)
            self._working.add(key)
            return key

    def done(self, key: str) -> None:
        """Hand a key back; if it was added meanwhile it waits again."""
        with self._changed:
            self._working.discard(key)
            if key in self._queued:
                self._waiting.append(key)
                self._changed.notify()

    def depth(self) -> int:
        """Return how many keys wait for a worker."""
        with self._changed:
            return len(self._waiting)

    def close(self) -> None:
        """Let every worker end after what it has in hand."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
