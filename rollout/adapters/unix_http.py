"""HTTP over a unix socket, for the one server there that is ours: the admin page of an Envoy that we start.

By the standard library: httpx reaches it through httpcore 1.0, which leaves the socket open where nothing listens.
"""

from __future__ import annotations

import http.client
import socket

from rollout.causes import why
from rollout.errors import PageUnavailable


class _Connection(http.client.HTTPConnection):
    """A connection to a path in place of a host."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connecting.settimeout(self.timeout)
            connecting.connect(self._path)
        except BaseException:
            connecting.close()
            raise
        self.sock = connecting


def ask(method: str, path: str, page: str, timeout_s: float, max_bytes: int) -> tuple[int, str]:
    """Return status and text of an answer. Raises PageUnavailable without one, or where it is too large.

    Args:
        path: of the socket.
        timeout_s: of each read; whoever answers is ours, and does not trickle.
    """
    connection = _Connection(path, timeout_s)
    try:
        connection.request(method, page)
        answer = connection.getresponse()
        body = answer.read(max_bytes + 1)
    except TimeoutError as error:
        raise PageUnavailable(f"{path} did not answer within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise PageUnavailable(f"{path} cannot be reached: {why(error)}") from error
    finally:
        connection.close()
    if len(body) > max_bytes:
        raise PageUnavailable(f"{path} answers with more than {max_bytes // 1024} KiB")
    return answer.status, body.decode("utf-8", errors="replace")
