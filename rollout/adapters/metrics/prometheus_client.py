"""One Prometheus behind one adapter: every answer is samples, or says why it is none.

`prometheus-api-client` carries the query; what it leaves open is closed here. It has no timeout, tries four times
behind our back, drops the warnings that tell a partial answer, and lets exceptions of three families out: measured.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from rollout.adapters.metrics.prometheus_connection import (
    CONNECT_TIMEOUT_S,
    Access,
    Connection,
    CutError,
    LateError,
)
from rollout.adapters.metrics.series import Series, series_of
from rollout.causes import why
from rollout.redaction import SECRETS

TERM = "rollout_term"
"""The label by which a query tells which of its selectors has brought a series."""

SLACK_S = 1.0
"""Reading is bounded a second time from outside: a server that trickles its answer holds a thread, never a sample."""

SHARED_S = 1.0
"""An answer this young serves everybody who asks the same."""

SHARED_MAX = 256
WORKERS_MAX = 16
SAMPLES_MAX = 20_000

AWAY_S = 15.0
"""Who has not answered in time is left alone for so long, so that its rollouts do not hold up those of others."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one time.

    Attributes:
        value: finite.
        at: the evaluation's time, in unix seconds.
        term: which selector of a query has brought it, where that is told.
    """

    series: Series
    value: float
    at: float
    term: str = ""

    @property
    def labels(self) -> Mapping[str, str]:
        return self.series.labels


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query brought. With a `problem` the samples are not to be used: it was partial, or no answer at all.

    Attributes:
        late: whether there was no answer in time.
        of_source: whether the source is the trouble, whatever it is asked.
    """

    samples: tuple[Sample, ...] = ()
    problem: str = ""
    late: bool = False
    of_source: bool = False


class PrometheusClient:
    """Queries to one Prometheus, shared by all rollouts that use it in the same way."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._shared: dict[str, tuple[float, Future[QueryResult]]] = {}
        self._away_until = 0.0
        self._slots = threading.BoundedSemaphore(WORKERS_MAX)
        self._idle: list[Connection] = []

    def query(self, text: str, at: float | None = None) -> QueryResult:
        """Evaluate an instant query.

        Never raises.

        Args:
            at: unix seconds, else now.
        """
        key, now = f"{text}@{at}", time.monotonic()
        if now < self._away_until:
            return self._away("has not answered lately; it is asked again in a moment")
        with self._lock:
            self._shared = {known: held for known, held in self._shared.items() if now - held[0] < SHARED_S}
            held = self._shared.get(key)
            mine = held is None
            if held is None:
                held = (now, Future())
                if len(self._shared) < SHARED_MAX:
                    self._shared[key] = held
        future = held[1]
        if mine and not self._start(future, text, at):
            return QueryResult(problem=f"{self._access.url} has {WORKERS_MAX} queries pending and answers none of them")
        try:
            answer = future.result(self._access.timeout_s + CONNECT_TIMEOUT_S + SLACK_S)
        except FutureTimeout:
            answer = self._late()
        if answer.late:
            self._away_until = time.monotonic() + min(AWAY_S, 5 * self._access.timeout_s)
        return answer

    def _start(self, future: Future[QueryResult], text: str, at: float | None) -> bool:
        if not self._slots.acquire(blocking=False):
            future.set_result(QueryResult(problem=f"{self._access.url} answers none of the queries under way"))
            return False

        def run() -> None:
            try:
                future.set_result(self._ask(text, at))
            except Exception as error:  # noqa: BLE001  nobody else would hear of it, and all who wait would wait on
                future.set_result(self._no(f"cannot be asked: {type(error).__name__}"))
            finally:
                self._slots.release()

        threading.Thread(target=run, name="prometheus", daemon=True).start()
        return True

    def _ask(self, text: str, at: float | None) -> QueryResult:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        connection = kept or Connection(self._access)
        answer = self._asked(connection, text, at)
        if answer.problem and kept is not None and not answer.late:  # the server may have closed it meanwhile
            connection = Connection(self._access)
            answer = self._asked(connection, text, at)
        if not answer.problem:  # one that has failed may be broken
            with self._lock:
                self._idle.append(connection)
        return answer

    def _asked(self, connection: Connection, text: str, at: float | None) -> QueryResult:
        import requests  # noqa: PLC0415  with the client 0.2 s
        from prometheus_api_client.exceptions import PrometheusApiClientException  # noqa: PLC0415

        parameters = {"timeout": f"{max(1, round(self._access.timeout_s))}s", "limit": str(SAMPLES_MAX)}
        if at is not None:
            parameters["time"] = f"{at:.3f}"
        try:
            vector = connection.query(text, parameters)
        except LateError:
            return self._late()
        except CutError as error:
            return self._no(str(error))
        except requests.exceptions.JSONDecodeError:
            return self._away(
                f"answered {connection.dropped.get('type') or 'no JSON'}: is a login page in front of it?"
            )
        except requests.exceptions.SSLError as error:
            return self._away(f"could not be trusted: {why(error)}")
        except requests.RequestException as error:
            if _is_timeout(error):
                return self._late()
            return self._away(f"does not answer: {why(error)}")
        except PrometheusApiClientException:
            is_login = connection.dropped.get("code") in (401, 403)
            return (self._away if is_login else self._no)(_refusal(connection.dropped))
        except (KeyError, TypeError, ValueError, RecursionError):
            return self._no("answered something that is not a query result")
        except OSError as error:
            return self._away(f"cannot be asked: {why(error)}")
        dropped = connection.dropped
        if dropped.get("status") == "error" or dropped.get("warnings"):
            return self._no(f"gave a partial answer: {_quoted('; '.join(map(str, dropped.get('warnings', ()))))}")
        return self._read(vector)

    def _read(self, vector: Any) -> QueryResult:
        """Read a vector. A value that is not finite is no fact: a comparison with it would quietly be false."""
        samples = []
        try:
            for series in vector:
                at, text = series["value"]
                value = float(text)
                if not math.isfinite(value):
                    name = series["metric"].get("__name__", "the answer")
                    return self._no(f"returned {text} for {name}, which is not a usable number")
                labels = series["metric"]
                term = labels.pop(TERM, "")
                samples.append(Sample(series_of(tuple(labels.items())), value, float(at), term))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return self._no("answered something that is not a vector of samples")
        if len(samples) >= SAMPLES_MAX:
            return self._no(f"has {SAMPLES_MAX} series or more for the query: take out labels")
        return QueryResult(tuple(samples))

    def _late(self) -> QueryResult:
        return QueryResult(problem=f"{self._access.url} has not answered in {self._access.timeout_s:g} s", late=True)

    def _away(self, why: str) -> QueryResult:
        return QueryResult(problem=f"{self._access.url} {why}", of_source=True)

    def _no(self, why: str) -> QueryResult:
        return QueryResult(problem=f"{self._access.url} {why}")


def _refusal(heard: Mapping[str, Any]) -> str:
    code, detail = heard.get("code"), _quoted(str(heard.get("error", "")))
    if code in (401, 403):
        return f"authentication failed (HTTP {code}): correct spec.metrics.prometheus.auth"
    if code in (400, 422):
        return f"cannot evaluate the query: {detail or f'HTTP {code}'}"
    return f"answered HTTP {code}{f': {detail}' if detail else ''}"


def _is_timeout(error: Exception) -> bool:
    """Whether a request ran out of time. While a body is read, requests wraps urllib3's timeout into another error."""
    import requests  # noqa: PLC0415
    from urllib3.exceptions import TimeoutError as PoolTimeout  # noqa: PLC0415

    causes = (error, *error.args, *(getattr(argument, "reason", None) for argument in error.args))
    return any(isinstance(cause, requests.Timeout | PoolTimeout | TimeoutError) for cause in causes)


def _quoted(text: str) -> str:
    """Return a server's own words as one short line; a server may say back what it was told, a token too."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return SECRETS.redact(line)[:300]
