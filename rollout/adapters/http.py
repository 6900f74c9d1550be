"""The one place that imports httpx: short, bounded requests, to pages we read and to services we ask."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rollout.adapters import unix_http
from rollout.adapters.bodies import BodyRefused, read_body
from rollout.causes import why
from rollout.errors import PageUnavailable

PAGE_MAX_BYTES = 16 * 1024 * 1024
"""A metrics page beyond this is refused: reading it would stall every sample."""


_SLACK_S = 0.1
"""So much later than httpx's own timeouts a request is cut, so that those tell what happened where they can."""


_SOCKET = "unix:"


def unix_url(path: Path) -> str:
    """Return the beginning of a URL of what answers on a unix socket, for `Pages`; a page is appended to it."""
    return f"{_SOCKET}{path}:"


class Pages:
    """Reads pages. One client for the process: building one costs more than using it."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        # Proxies from the environment are not for loopback and cluster addresses.
        # http only, by the model: no certificates. A connection a request: only so can each be cut in time.
        limits = httpx.Limits(max_keepalive_connections=0)
        options: dict[str, Any] = {"trust_env": False, "verify": False, "limits": limits}
        self._client = httpx.Client(transport=transport, follow_redirects=False, **options)

    def get(self, url: str, timeout_s: float) -> str:
        """Return a page's text. Raises PageUnavailable for anything but a 200 of bearable size."""
        return self._read("GET", url, timeout_s)

    def post(self, url: str, timeout_s: float) -> str:
        """Send an empty POST and return the answer's text. Raises PageUnavailable likewise."""
        return self._read("POST", url, timeout_s)

    def ask(self, url: str, timeout_s: float) -> Response:
        """Return the answer to a GET, whatever its status. Raises PageUnavailable without one."""
        return _exchange(self._client, "GET", url, timeout_s=timeout_s, max_bytes=PAGE_MAX_BYTES)

    def _read(self, method: str, url: str, timeout_s: float) -> str:
        if url.startswith(_SOCKET):
            path, _, page = url.removeprefix(_SOCKET).partition(":/")
            status, text = unix_http.ask(method, path, f"/{page}", timeout_s, PAGE_MAX_BYTES)
            answer = Response(status, "", text)
        else:
            answer = _exchange(self._client, method, url, timeout_s=timeout_s, max_bytes=PAGE_MAX_BYTES)
        if answer.status != httpx.codes.OK:
            phrase = httpx.codes.get_reason_phrase(answer.status)
            raise PageUnavailable(f"{without_query(url)} answered {answer.status} {phrase}".rstrip(), answer.status)
        return answer.text

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class Response:
    """What a service answered: status, where it points (empty if nowhere), and its text.

    Attributes:
        challenge: how it wants to be asked, where it does not know who asks (WWW-Authenticate).
        passed_on: whether an Envoy on the way says that somebody behind it has answered.
    """

    status: int
    location: str
    text: str
    passed_on: bool = False
    challenge: str = ""


class Services:
    """Asks other people's services, over TLS with their certificates checked. Safe to use from several threads."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._transport = transport
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def ask(
        self, method: str, url: str, body: Any, headers: dict[str, str], timeout_s: float, max_bytes: int
    ) -> Response:
        """Return the answer, whatever its status; redirects are not followed. Raises PageUnavailable without one."""
        with self._lock:  # made when it is first needed: building one loads all certificates
            if self._client is None:
                limits = httpx.Limits(max_keepalive_connections=0)
                try:
                    self._client = httpx.Client(transport=self._transport, follow_redirects=False, limits=limits)
                except (ImportError, ValueError, OSError) as error:
                    message = f"{without_query(url)} cannot be asked: the proxy or certificate settings are not usable"
                    raise PageUnavailable(f"{message}: {why(error)}") from error
        return _exchange(self._client, method, url, body, headers, timeout_s=timeout_s, max_bytes=max_bytes)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _content(sent: Any) -> dict[str, Any]:
    """Return how something is sent: bytes as they are, for whoever has signed them; all else as JSON."""
    return {"content": sent} if isinstance(sent, bytes) else {"json": sent}


def _exchange(
    client: httpx.Client,
    method: str,
    url: str,
    sent: Any = None,
    headers: dict[str, str] | None = None,
    *,
    timeout_s: float,
    max_bytes: int,
) -> Response:
    """Send a request and read its answer, bounded in time and size. Raises PageUnavailable.

    httpx bounds each read; whoever sends a byte now and then could still hold us for ever. So the connection is cut
    when the time is over, whatever it is at.
    """
    cut, shown = _Cut(timeout_s + _SLACK_S), without_query(url)
    headers = {**(headers or {}), "Accept-Encoding": "identity"}
    try:
        with (
            cut,
            client.stream(
                method, url, headers=headers, timeout=timeout_s, extensions={"trace": cut.trace}, **_content(sent)
            ) as response,
        ):
            body = read_body(cut.during(response.iter_raw()), response.headers.get("content-encoding", ""), max_bytes)
            if cut.is_over:  # a body that was cut looks like one that has ended
                raise PageUnavailable(f"{shown} did not finish within {timeout_s:g} s")
            text = body.decode("utf-8-sig", errors="replace")
            passed_on = "x-envoy-upstream-service-time" in response.headers
            headers_in = response.headers
            challenge = headers_in.get("www-authenticate", "")
            return Response(response.status_code, headers_in.get("location", ""), text, passed_on, challenge)
    except BodyRefused as error:
        raise PageUnavailable(f"{shown} {error}") from error
    except httpx.TimeoutException as error:
        raise PageUnavailable(f"{shown} did not answer within {timeout_s:g} s") from error
    except httpx.LocalProtocolError as error:  # it may quote what we sent, and that may be a secret
        raise PageUnavailable(f"{shown} cannot be asked: the request would not be proper HTTP") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        if cut.is_over:
            raise PageUnavailable(f"{shown} did not finish within {timeout_s:g} s") from error
        raise PageUnavailable(f"{shown} cannot be reached: {why(error)}") from error


def without_query(url: str) -> str:
    """Return a URL as it may be told: a query may carry a token."""
    return url.partition("?")[0]


class _Cut:
    """Shuts a request's socket down when its time is over. It learns of the socket by httpcore's trace extension."""

    def __init__(self, timeout_s: float) -> None:
        self.is_over = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(timeout_s, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def during(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield chunks until the time is over."""
        for chunk in chunks:
            yield chunk
            if self.is_over:
                return

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Keep a copy of the socket of a connection that was made: TLS takes the original for itself."""
        if event == "connection.connect_tcp.complete":
            with self._lock, contextlib.suppress(OSError):
                self._socket = info["return_value"].get_extra_info("socket").dup()
                if self.is_over:
                    self._shut_socket()

    def _shut(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut_socket()

    def _shut_socket(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
