"""Counters read off the path of a turn: whoever reconciles asks, goes on, and is woken once they are in.

A Prometheus that hangs then holds up nobody: not its own rollout's abort, and not other rollouts. Samples are taken by
threads of their own, fair between namespaces.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from rollout.engine.facts import Round
from rollout.engine.ports import MetricsSource
from rollout.model.api.kpi import Kpi

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

Question = tuple[str, str, tuple[Kpi, ...], str | None]

KEPT_S = 60.0
"""A sample that nobody has come for by then is forgotten."""


class Queue(Protocol):
    """Where keys wait for a thread."""

    def add(self, key: str) -> None: ...

    def take(self) -> str | None: ...

    def done(self, key: str) -> None: ...

    def close(self) -> None: ...


@dataclass
class _Sample:
    """One sample, asked for or taken."""

    question: Question
    source: MetricsSource
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
        self._threads = [
            threading.Thread(target=self._work, name=f"sampler-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def of(self, key: str, source: MetricsSource) -> MetricsSource:
        """Return a source that answers for one rollout with samples that were taken meanwhile, or None yet."""
        return _Sampled(self, key, source)

    def ask(self, key: str, source: MetricsSource, question: Question) -> Round | None:
        """Return the sample of a question, once, if it is in; else see to it that it is taken."""
        with self._lock:
            known = self._samples.get(key)
            if known is not None and known.question == question:
                if known.taken is None:
                    return None
                del self._samples[key]
                if time.monotonic() - known.at < KEPT_S:
                    return known.taken
            self._samples[key] = _Sample(question, source)
        self._queue.add(key)
        return None

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
                if sample is not None and sample.taken is None:
                    self._take(key, sample)
            finally:
                self._queue.done(key)

    def _take(self, key: str, sample: _Sample) -> None:
        stable, candidate, kpis, spend = sample.question
        try:
            taken = sample.source.read(stable, candidate, kpis, spend)
        except Exception as error:  # noqa: BLE001  on this thread nobody else would hear of it
            _LOG.exception("internal error: please report it", rollout=key)
            taken = Round.unreadable(kpis, spend, f"the counters cannot be read: {type(error).__name__}")
        with self._lock:
            sample.taken, sample.at = taken, time.monotonic()
        self._taken(key)


@dataclass(frozen=True)
class _Sampled:
    sampler: Sampler
    key: str
    source: MetricsSource

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round | None:
        return self.sampler.ask(self.key, self.source, (stable, candidate, kpis, spend))
