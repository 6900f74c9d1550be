"""What was read a moment ago: many pages that show the same are one read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from rollout.adapters.storage.base import Row
from rollout.dashboard.source import RolloutSource
from rollout.errors import NotFound

KEPT_MAX = 512


class Snapshots:
    """Reads that are shared for a short time.

    Args:
        monotonic: the time in seconds, from anywhere.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: OrderedDict[tuple[Any, ...], tuple[float, Any]] = OrderedDict()
        self._reading: dict[tuple[Any, ...], threading.Lock] = {}
        self._lock = threading.Lock()
        self._generation = 0

    def all(self, source: RolloutSource, namespace: str | None) -> list[Row]:
        rows: list[Row] = self._once(source, ("all", namespace), lambda: source.all(namespace))
        return rows

    def row(self, source: RolloutSource, namespace: str, name: str) -> Row:
        """Return one rollout. Raises NotFound."""
        row: Row | None = self._once(source, ("one", namespace, name), lambda: source.store(namespace).get(name))
        if row is None or row.rollout.metadata.namespace != namespace:
            raise NotFound(f"there is no rollout {namespace}/{name}, or none any more")
        return row

    def forget(self) -> None:
        """Read anew next time: something was just changed."""
        with self._lock:
            self._kept.clear()
            self._generation += 1

    def _once(self, source: RolloutSource, what: tuple[Any, ...], read: Callable[[], Any]) -> Any:
        key = (source, *what)
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        try:
            with reading:
                return self._read(key, source.poll_s, read)
        finally:
            with self._lock:
                if not reading.locked():
                    self._reading.pop(key, None)

    def _read(self, key: tuple[Any, ...], lasts_s: float, read: Callable[[], Any]) -> Any:
        with self._lock:
            generation = self._generation
            at, value = self._kept.get(key, (None, None))
            if at is not None and self._monotonic() - at < lasts_s:
                return value
        value = read()
        with self._lock:
            if generation == self._generation:  # else it may be of before an action
                self._kept[key] = (self._monotonic(), value)
                self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return value
