"""One Prometheus behind one adapter: every answer is samples, or says why it is none.

`prometheus-api-client` carries the query; what it leaves open is closed here. It has no timeout, tries four times
behind our back, drops the warnings that tell a partial answer, and lets exceptions of three families out: measured.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollout.adapters.bodies import BodyRefused, read_body
from rollout.causes import why
from rollout.redaction import SECRETS

CONNECT_TIMEOUT_S = 3.0
SLACK_S = 1.0
"""Reading is bounded a second time from outside: a server that trickles its answer holds a thread, never a sample."""

SHARED_S = 1.0
"""An answer this young serves everybody who asks the same."""

SHARED_MAX = 256
WORKERS_MAX = 16
SAMPLES_MAX = 20_000
ANSWER_MAX_BYTES = 16 * 1024 * 1024

AWAY_S = 15.0
"""Who has not answered in time is left alone for so long, so that its rollouts do not hold up those of others."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one time.

    Attributes:
        value: finite.
        at: the evaluation's time, in unix seconds.
    """

    labels: Mapping[str, str]
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query brought. With a `problem` the samples are not to be used: it was partial, or no answer at all.

    Attributes:
        late: whether there was no answer in time.
    """

    samples: tuple[Sample, ...] = ()
    problem: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """How a Prometheus is reached.

    Attributes:
        headers: with credentials, so never shown.
        ca, cert: files, or what is usual.
    """

    url: str
    timeout_s: float = 10.0
    headers: tuple[tuple[str, str], ...] = ()
    basic: tuple[str, str] | None = None
    ca: Path | None = None
    cert: tuple[Path, Path] | None = None
    insecure: bool = False

    def __repr__(self) -> str:
        return f"Access({self.url})"


class PrometheusClient:
    """Queries to one Prometheus, shared by all rollouts that use it in the same way."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._shared: dict[str, tuple[float, Future[QueryResult]]] = {}
        self._away_until = 0.0
        self._slots = threading.BoundedSemaphore(WORKERS_MAX)
        self._local = threading.local()

    def query(self, text: str, at: float | None = None) -> QueryResult:
        """Evaluate an instant query.

        Never raises.

        Args:
            at: unix seconds, else now.
        """
        key, now = f"{text}@{at}", time.monotonic()
        if now < self._away_until:
            return self._no("has not answered lately; it is asked again in a moment")
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
        import requests  # noqa: PLC0415  with the client 0.2 s
        from prometheus_api_client.exceptions import PrometheusApiClientException  # noqa: PLC0415

        heard: dict[str, Any] = {}
        parameters = {"timeout": f"{max(1, round(self._access.timeout_s))}s", "limit": str(SAMPLES_MAX)}
        if at is not None:
            parameters["time"] = f"{at:.3f}"
        try:
            vector = self._connection(heard).custom_query(text, params=parameters)
        except _LateError:
            return self._late()
        except _CutError as error:
            return self._no(str(error))
        except requests.exceptions.JSONDecodeError:
            return self._no(f"answered {heard.get('type') or 'no JSON'}: is a login page in front of it?")
        except requests.exceptions.SSLError as error:
            return self._no(f"could not be trusted: {why(error)}")
        except requests.RequestException as error:
            if _is_timeout(error):
                return self._late()
            return self._no(f"does not answer: {why(error)}")
        except PrometheusApiClientException:
            return self._no(_refusal(heard))
        except (KeyError, TypeError, ValueError, RecursionError):
            return self._no("answered something that is not a query result")
        except OSError as error:
            return self._no(f"cannot be asked: {why(error)}")
        if heard.get("status") == "error" or heard.get("warnings"):
            return self._no(f"gave a partial answer: {_quoted('; '.join(map(str, heard.get('warnings', ()))))}")
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
                samples.append(Sample(dict(series["metric"]), value, float(at)))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return self._no("answered something that is not a vector of samples")
        if len(samples) >= SAMPLES_MAX:
            return self._no(f"has {SAMPLES_MAX} series or more for the query: take out labels")
        return QueryResult(tuple(samples))

    def _late(self) -> QueryResult:
        return QueryResult(problem=f"{self._access.url} has not answered in {self._access.timeout_s:g} s", late=True)

    def _no(self, why: str) -> QueryResult:
        return QueryResult(problem=f"{self._access.url} {why}")

    def _connection(self, heard: dict[str, Any]) -> Any:
        """Return this thread's client; `heard` is told what it would drop: warnings, errors, the type of the answer."""
        import requests  # noqa: PLC0415
        from prometheus_api_client import PrometheusConnect  # noqa: PLC0415
        from urllib3.util.retry import Retry  # noqa: PLC0415

        def hear(answer: Any, **_: Any) -> None:
            if answer.is_redirect:
                raise _CutError("redirects elsewhere: is a login page in front of it?")
            _read_whole(answer, deadline)
            heard["code"] = answer.status_code
            heard["type"] = answer.headers.get("Content-Type", "").partition(";")[0]
            try:
                body = answer.json()
            except (ValueError, RecursionError):
                return
            if isinstance(body, dict):
                heard.update({key: body[key] for key in ("status", "error", "warnings") if key in body})

        deadline = time.monotonic() + self._access.timeout_s + CONNECT_TIMEOUT_S
        access, session = self._access, requests.Session()
        session.trust_env = False
        session.verify = False if access.insecure else str(access.ca) if access.ca else True
        session.cert = (str(access.cert[0]), str(access.cert[1])) if access.cert else None
        session.hooks["response"] = [hear]
        return PrometheusConnect(
            access.url.rstrip("/"),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **dict(access.headers)},
            auth=access.basic and (access.basic[0].encode(), access.basic[1].encode()),
            session=session,
            retry=Retry(total=0),
            timeout=(CONNECT_TIMEOUT_S, access.timeout_s),
        )


class _CutError(Exception):
    """The answer was given up in the middle."""


class _LateError(Exception):
    """The answer does not end in time."""


def _read_whole(answer: Any, deadline: float) -> None:
    """Read an answer's body, at most so much of it and so long: the library would read on for as long as bytes come."""

    def in_time() -> Iterator[bytes]:
        for chunk in answer.raw.stream(65_536, decode_content=False):
            yield chunk
            if time.monotonic() > deadline:
                raise _LateError

    try:
        body = read_body(in_time(), answer.headers.get("Content-Encoding", ""), ANSWER_MAX_BYTES)
    except BodyRefused as error:
        remedy = ": take out labels" if "larger" in str(error) else ""
        raise _CutError(f"gave an answer that {error}{remedy}") from error
    finally:
        answer.close()
    answer._content, answer._content_consumed = body, True  # noqa: SLF001  the library's way to say: read


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
