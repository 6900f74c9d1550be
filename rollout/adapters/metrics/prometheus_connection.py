"""A connection with one Prometheus, kept alive between queries, and what the library that carries them leaves open."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollout.adapters.bodies import BodyRefused, read_body

CONNECT_TIMEOUT_S = 3.0
ANSWER_MAX_BYTES = 16 * 1024 * 1024


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


class Connection:
    """A session with one Prometheus, for one query at a time; its connection is kept alive between them."""

    def __init__(self, access: Access) -> None:
        import requests  # noqa: PLC0415
        from prometheus_api_client import PrometheusConnect  # noqa: PLC0415
        from urllib3.util.retry import Retry  # noqa: PLC0415

        self.dropped: dict[str, Any] = {}
        self._timeout_s, self._deadline = access.timeout_s, 0.0
        session = requests.Session()
        session.trust_env = False
        session.verify = False if access.insecure else str(access.ca) if access.ca else True
        session.cert = (str(access.cert[0]), str(access.cert[1])) if access.cert else None
        session.hooks["response"] = [self._note]
        self._client = PrometheusConnect(
            access.url.rstrip("/"),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **dict(access.headers)},
            auth=access.basic and (access.basic[0].encode(), access.basic[1].encode()),
            session=session,
            retry=Retry(total=0),
            timeout=(CONNECT_TIMEOUT_S, access.timeout_s),
        )

    def query(self, text: str, parameters: Mapping[str, str]) -> Any:
        """Return the vector that the library makes of the answer. `dropped`: what it drops."""
        self.dropped = {}
        self._deadline = time.monotonic() + self._timeout_s + CONNECT_TIMEOUT_S
        return self._client.custom_query(text, params=dict(parameters))

    def _note(self, answer: Any, **_: Any) -> None:
        """Keep what the library drops: warnings, errors, the type of the answer."""
        if answer.is_redirect:
            raise CutError("redirects elsewhere: is a login page in front of it?")
        _read_whole(answer, self._deadline)
        self.dropped["code"] = answer.status_code
        self.dropped["type"] = answer.headers.get("Content-Type", "").partition(";")[0]
        try:
            body = answer.json()
        except (ValueError, RecursionError):
            return
        answer.json = lambda **_: body  # the library would parse it once more
        if isinstance(body, dict):
            self.dropped.update({key: body[key] for key in ("status", "error", "warnings") if key in body})


class CutError(Exception):
    """The answer was given up in the middle."""


class LateError(Exception):
    """The answer does not end in time."""


def _read_whole(answer: Any, deadline: float) -> None:
    """Read an answer's body, at most so much of it and so long: the library would read on for as long as bytes come."""

    def in_time() -> Iterator[bytes]:
        for chunk in answer.raw.stream(65_536, decode_content=False):
            yield chunk
            if time.monotonic() > deadline:
                raise LateError

    try:
        body = read_body(in_time(), answer.headers.get("Content-Encoding", ""), ANSWER_MAX_BYTES)
    except BodyRefused as error:
        remedy = ": take out labels" if "larger" in str(error) else ""
        raise CutError(f"gave an answer that {error}{remedy}") from error
    finally:
        answer.close()
    answer._content, answer._content_consumed = body, True  # noqa: SLF001  the library's way to say: read
