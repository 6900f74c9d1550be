"""What each part of a controller's work costs: CPU by the thread's clock, calls of the API, and bytes.

Functions are wrapped for the time of a measurement. A part is charged what it does itself, not the parts that it calls.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from rollout.adapters.kubernetes import api as kubernetes_api
from rollout.adapters.kubernetes.reflector import Reflector
from rollout.adapters.metrics import asked_together, prometheus_connection
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.storage.kubernetes_status import KubernetesStatusStore
from rollout.controller import rollout_reconciler
from rollout.controller.controller import Controller
from rollout.controller.metrics_source import ClusterMetrics
from rollout.runtime import reconciler as loop
from rollout.runtime.observation import Observation

PARTS: tuple[tuple[Any, str, str], ...] = (
    (Reflector, "_take", "watches: an object has changed"),
    (ClusterMetrics, "asking", "sample: the question"),
    (PrometheusClient, "_ask", "sample: the query"),
    (asked_together, "asked_together", "sample: the series of each rollout"),
    (Controller, "_reconcile", "turn: around it"),
    (rollout_reconciler, "reconciler", "turn: its ports"),
    (Observation, "facts", "turn: facts"),
    (Observation, "_route", "turn: facts of routes"),
    (Observation, "_versions", "turn: facts of versions"),
    (loop, "plan", "turn: plan"),
    (KubernetesStatusStore, "save", "turn: the status"),
    (KubernetesStatusStore, "publish", "turn: what others read"),
    (kubernetes_api.HttpApi, "_call", "calls of the API"),
)
REST = "all else: queues, threads, watches' lines"


@dataclass
class Costs:
    """What was charged to each part so far."""

    cpu_s: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    bytes_: Counter[str] = field(default_factory=Counter)

    def since(self, before: Costs) -> Costs:
        return Costs(self.cpu_s - before.cpu_s, self.calls - before.calls, self.bytes_ - before.bytes_)

    def copy(self) -> Costs:
        return Costs(self.cpu_s.copy(), self.calls.copy(), self.bytes_.copy())


class Meter:
    """Charges each moment of each thread to the innermost part that is under way on it."""

    def __init__(self) -> None:
        self.costs = Costs()
        self._lock, self._local = threading.Lock(), threading.local()

    def of(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is charged to a part."""

        @functools.wraps(function)
        def charged(*arguments: Any, **named: Any) -> Any:
            stack = self._stack
            self._charge(stack)
            stack.append(part)
            try:
                return function(*arguments, **named)
            finally:
                self._charge(stack)
                stack.pop()

        return charged

    def count(self, bytes_: int, *, call: bool = False, part: str = "") -> None:
        """Count bytes that came or went, and a call of the API by whoever makes it."""
        stack = self._stack
        part = part or (stack[-1] if stack else REST)
        with self._lock:
            self.costs.bytes_[part] += bytes_
            if call:
                caller = next((entry for entry in reversed(stack) if entry != part), REST)
                self.costs.calls[caller] += 1

    @property
    def _stack(self) -> list[str]:
        if not hasattr(self._local, "stack"):
            self._local.stack, self._local.mark = [], time.thread_time()
        return self._local.stack

    def _charge(self, stack: list[str]) -> None:
        now = time.thread_time()
        with self._lock:
            self.costs.cpu_s[stack[-1] if stack else REST] += now - self._local.mark
        self._local.mark = now


@contextmanager
def metered() -> Iterator[Meter]:
    """Meter the parts of a controller in this process that begins meanwhile."""
    meter = Meter()
    with ExitStack() as patches:
        for owner, name, part in PARTS:
            patches.enter_context(mock.patch.object(owner, name, meter.of(part, getattr(owner, name))))
        for owner, name, counted in (
            (kubernetes_api.HttpApi, "_open", _open),
            (kubernetes_api, "_event", _event),
            (prometheus_connection, "_read_whole", _read_whole),
        ):
            patches.enter_context(mock.patch.object(owner, name, counted(meter, getattr(owner, name))))
        yield meter


def _open(meter: Meter, function: Callable[..., Any]) -> Callable[..., Any]:
    def opened(self: Any, method: str, path: str, parameters: Any, body: str = "", *more: Any, **named: Any) -> Any:
        answer = function(self, method, path, parameters, body, *more, **named)
        is_watch = bool(parameters and "watch" in parameters)
        meter.count(len(body) + int(answer.headers.get("Content-Length") or 0), call=not is_watch)
        return answer

    return opened


def _event(meter: Meter, function: Callable[..., Any]) -> Callable[..., Any]:
    def read(line: bytes) -> Any:
        meter.count(len(line), part=PARTS[0][2])
        return function(line)

    return read


def _read_whole(meter: Meter, function: Callable[..., Any]) -> Callable[..., Any]:
    def read(answer: Any, deadline: float) -> None:
        function(answer, deadline)
        meter.count(len(answer.content) + len(answer.request.url))

    return read
