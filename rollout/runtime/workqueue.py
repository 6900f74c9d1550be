"""A queue of keys for several workers: one key is never in two hands, none is lost, and nobody waits behind the rest.

A key that is added while it waits is one entry; added while it is worked on, it waits until that is done and comes once
more. Timers and watches only add; what to do is found out from the store. Keys are `namespace/name`: namespaces take
turns, and one of them never has all workers. What is urgent (an abort, a rollback) has a lane of its own. Delays are
monotonic: a wall clock that steps moves none of them.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from rollout.backoff import Backoff


class WorkQueue:
    """Bounded by the number of keys, since no key is in it twice.

    Args:
        share_max: how many keys of one namespace may be in hands at one time, urgent ones aside.
        backoff: how long a key waits that failed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        share_max: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff = Backoff(0.5, 60.0, jitter=1.3),  # noqa: B008  frozen
    ) -> None:
        self._backoff = backoff
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._lanes = {urgent_only: _Lane(self._lock) for urgent_only in (False, True)}
        self._share_max, self._clock = share_max, clock
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()
        self._urgent: deque[str] = deque()
        self._queued: dict[str, bool] = {}
        self._working: set[str] = set()
        self._in_hands: Counter[str] = Counter()
        self._due: dict[str, tuple[float, bool]] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._closed = False

    def add(self, key: str, *, urgent: bool = False) -> None:
        """Let a key be worked on soon; urgent: before all that are not."""
        with self._lock:
            self._add(key, urgent=urgent)

    def add_after(self, key: str, delay_s: float, *, urgent: bool = False) -> None:
        """Let a key be worked on after a delay; a newer delay of a key replaces an older one."""
        with self._lock:
            if self._closed:
                return
            due = self._clock() + max(0.0, delay_s)
            self._due[key] = (due, urgent)
            heapq.heappush(self._heap, (due, next(self._order), key))
            if self._heap[0][2] == key:
                for lane in self._lanes.values():
                    lane.look_at_the_time()

    def add_rate_limited(self, key: str, *, least_s: float | None = None, urgent: bool = False) -> float:
        """Let a key that failed be worked on again, later and later; return in how many seconds.

        Args:
            least_s: how soon after the first failure.
        """
        with self._lock:
            self._failures[key] += 1
            delay_s = self._backoff.after_s(self._failures[key], least_s)
        self.add_after(key, delay_s, urgent=urgent)
        return delay_s

    def failures(self, key: str) -> int:
        """Return how often a key has failed in a row."""
        with self._lock:
            return self._failures[key]

    def forget(self, key: str) -> None:
        """Take it that a key works again, or is gone: its next failure is the first."""
        with self._lock:
            self._failures.pop(key, None)

    def take(self, *, urgent_only: bool = False, waits: bool = True) -> str | None:
        """Return a key, once there is one; None once the queue is closed. Hand it back with `done`.

        Args:
            waits: False: return None where there is none now.
        """
        lane = self._lanes[urgent_only]
        with self._lock:
            while not self._closed:
                left_s = self._ripen()
                if (key := self._next(urgent_only=urgent_only)) is not None:
                    self._queued.pop(key)
                    self._working.add(key)
                    self._in_hands[_namespace(key)] += 1
                    if self._waiting or self._urgent or not lane.is_kept:
                        lane.wake()  # for the next key, or to keep the time instead of this one
                    return key
                if not waits:
                    return None
                lane.wait(left_s)
            return None

    def done(self, key: str) -> None:
        """Hand a key back; if it was added meanwhile it waits again."""
        with self._lock:
            self._working.discard(key)
            namespace = _namespace(key)
            self._in_hands[namespace] -= 1
            if not self._in_hands[namespace]:
                del self._in_hands[namespace]
            if key in self._queued:
                self._line_up(key, urgent=self._queued[key])
            if self._waiting or self._urgent:  # a namespace may have a worker again
                self._wake(urgent=bool(self._urgent))

    def depth(self) -> int:
        """Return how many keys wait for a worker."""
        with self._lock:
            return len(self._urgent) + sum(map(len, self._waiting.values()))

    def close(self) -> None:
        """Let every worker end after what it has in hand."""
        with self._lock:
            self._closed = True
            for lane in self._lanes.values():
                lane.wake_all()

    def _add(self, key: str, *, urgent: bool) -> None:
        if self._closed or (key in self._queued and (self._queued[key] or not urgent)):
            return
        waits = key in self._queued and key not in self._working
        if waits:  # it has become urgent
            self._leave(key)
        self._queued[key] = urgent
        if key not in self._working:
            self._line_up(key, urgent=urgent)
            self._wake(urgent=urgent)

    def _wake(self, *, urgent: bool) -> None:
        self._lanes[False].wake()
        if urgent:
            self._lanes[True].wake()

    def _line_up(self, key: str, *, urgent: bool) -> None:
        if urgent:
            self._urgent.append(key)
        else:
            self._waiting.setdefault(_namespace(key), deque()).append(key)

    def _leave(self, key: str) -> None:
        namespace = _namespace(key)
        self._waiting[namespace].remove(key)
        if not self._waiting[namespace]:
            del self._waiting[namespace]

    def _ripen(self) -> float | None:
        """Add the keys whose delay is over; return in how many seconds the next one's is."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key, (None,))[0] != due:
                heapq.heappop(self._heap)  # replaced by a newer delay
                continue
            left_s = due - self._clock()
            if left_s > 0:
                return left_s
            heapq.heappop(self._heap)
            self._add(key, urgent=self._due.pop(key)[1])
        return None

    def _next(self, *, urgent_only: bool) -> str | None:
        """Return the next key: what is urgent first, then one of the namespace that has waited longest for a turn."""
        if self._urgent:
            return self._urgent.popleft()
        for namespace in () if urgent_only else tuple(self._waiting):
            if self._share_max is not None and self._in_hands[namespace] >= self._share_max:
                continue
            keys = self._waiting[namespace]
            key = keys.popleft()
            if keys:
                self._waiting.move_to_end(namespace)
            else:
                del self._waiting[namespace]
            return key
        return None


class _Lane:
    """Workers that wait for the same keys. One of them keeps the time; the others sleep until they are needed.

    Were all of them told of each key, and of each delay that is over, they would cost more than the work.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._timekeeper, self._others = threading.Condition(lock), threading.Condition(lock)
        self.is_kept, self._asleep = False, 0

    def wait(self, left_s: float | None) -> None:
        """Wait, with the lock held, until woken; whoever keeps the time also wakes when it is over."""
        if not self.is_kept:
            self.is_kept = True
            try:
                self._timekeeper.wait(left_s)
            finally:
                self.is_kept = False
            return
        self._asleep += 1
        try:
            self._others.wait()
        finally:
            self._asleep -= 1

    def wake(self) -> None:
        """Wake one: who sleeps, else who keeps the time."""
        (self._others if self._asleep else self._timekeeper).notify()

    def look_at_the_time(self) -> None:
        self._timekeeper.notify()

    def wake_all(self) -> None:
        self._timekeeper.notify_all()
        self._others.notify_all()


def _namespace(key: str) -> str:
    return key.partition("/")[0]
