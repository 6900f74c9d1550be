"""Counters read off the path of a turn: whoever reconciles asks, goes on, and is woken once they are in.

A Prometheus that hangs then holds up nobody: not its own rollout's abort, and not other rollouts. Questions are made
ready by threads of their own, fair between namespaces; those to one Prometheus are asked together.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from rollout.adapters.metrics.asked_together import Together
from rollout.adapters.metrics.prometheus_reading import Question
from rollout.adapters.metrics.prometheus_source import Asking
from rollout.engine.facts import Round
from rollout.engine.ports import MetricsSource
from rollout.errors import Unavailable
from rollout.model.api.kpi import Kpi

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

KEPT_S = 60.0
"""A sample that nobody has come for by then is forgotten."""

TICK_S = 0.5
"""Samples that are due within one tick are taken at its end, together."""


class Queue(Protocol):
    """Where keys wait for a thread."""

    def add(self, key: str) -> None: ...

    def add_after(self, key: str, delay_s: float) -> None: ...

    def take(self) -> str | None: ...

    def done(self, key: str) -> None: ...

    def close(self) -> None: ...


class Askable(Protocol):
    """Counters that can be asked for together with others."""

    def asking(self, question: Question) -> Asking:
        """Make a question ready. Raises Unavailable where what it needs may not be used."""
        ...


@dataclass
class _Sample:
    """One sample: foreseen, asked for, or taken.

    Attributes:
        foreseen: whether it is wanted at its time only.
    """

    question: Question
    source: Askable
    wanted: bool = True
    foreseen: bool = False
    taken: Round | None = None
    at: float = 0.0


class Sampler:
    """Takes samples for many rollouts. Close it after use.

    Args:
        taken: is told the key of each sample that is in.
    """

    def __init__(self, queue: Queue, taken: Callable[[str], None], threads: int) -> None:
        self._queue, self._taken = queue, taken
        self._lock = threading.Lock()
        self._samples: dict[str, _Sample] = {}
        self._together = Together()
        self._threads = [
            threading.Thread(target=self._work, name=f"sampler-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def of(self, key: str, source: Askable) -> MetricsSource:
        """Return a source that answers for one rollout with samples that were taken meanwhile, or None yet."""
        return _Sampled(self, key, source)

    def ask(self, key: str, source: Askable, question: Question) -> Round | None:
        """Return the sample of a question, once, if it is in; else see to it that it is taken."""
        with self._lock:
            known = self._samples.get(key)
            if known is not None and known.question == question:
                known.source = source
                if known.wanted and known.taken is None and not known.foreseen:
                    return None
                taken, known.taken, known.foreseen = known.taken, None, False
                if taken is not None and time.monotonic() - known.at < KEPT_S:
                    known.wanted = False
                    return taken
                known.wanted = True
            else:
                self._samples[key] = _Sample(question, source)
        self._queue.add(key)
        return None

    def foresee(self, key: str, after_s: float) -> bool:
        """Take the next sample of a rollout by itself, as it was asked for last; False where it never was."""
        with self._lock:
            known = self._samples.get(key)
            if known is None:
                return False
            known.wanted, known.foreseen, known.taken = True, True, None
        now = time.monotonic()
        self._queue.add_after(key, math.ceil((now + after_s) / TICK_S) * TICK_S - now)
        return True

    def forget(self, key: str) -> None:
        """Forget what was asked for a rollout that is gone."""
        with self._lock:
            self._samples.pop(key, None)

    def close(self) -> None:
        """Take no more samples. What is under way is bounded in time, and its answer is not looked at."""
        self._queue.close()

    def _work(self) -> None:
        while (key := self._queue.take()) is not None:
            try:
                with self._lock:
                    sample = self._samples.get(key)
                if sample is not None and sample.wanted and sample.taken is None:
                    self._take(key, sample)
            finally:
                self._queue.done(key)

    def _take(self, key: str, sample: _Sample) -> None:
        question, failed = sample.question, ""
        sample.foreseen = False

        def note(taken: Round | None, failed: str = "") -> None:
            if taken is None:
                taken = Round.unreadable(question.kpis, question.spend, failed)
            with self._lock:
                if sample.question is question and sample.wanted:
                    sample.taken, sample.at = taken, time.monotonic()
            self._taken(key)

        try:
            asking = sample.source.asking(question)
        except Unavailable as error:
            failed = str(error)
        except Exception as error:  # noqa: BLE001  on this thread nobody else would hear of it
            _LOG.exception("internal error: please report it", rollout=key)
            failed = f"the counters cannot be read: {type(error).__name__}"
        if failed:
            note(None, failed)
        else:
            self._together.add(asking, note)


@dataclass(frozen=True)
class _Sampled:
    sampler: Sampler
    key: str
    source: Askable

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round | None:
        return self.sampler.ask(self.key, self.source, Question(stable, candidate, kpis, spend))
