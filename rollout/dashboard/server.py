"""The dashboard over HTTP, in a thread of its own, until it is closed."""

from __future__ import annotations

import contextlib
import socket
import threading

import uvicorn

from rollout.dashboard.app import Dashboard
from rollout.errors import Fault, InvalidInput

CLOSE_TIMEOUT_S = 3
CONNECTIONS_MAX = 256
BACKLOG = 128


def bound(host: str, port: int, option: str) -> socket.socket:
    """Return a socket that listens. Raises InvalidInput, naming the option, where the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)  # whoever comes before the first answer waits, and is not turned away
    except OSError as error:
        listening.close()
        remedy = f"choose another address with {option}"
        raise InvalidInput([Fault(option, f"{host}:{port} cannot be used: {error.strerror}", remedy)]) from error
    return listening


class DashboardServer:
    """Answers on one socket."""

    def __init__(self, dashboard: Dashboard, listening: socket.socket) -> None:
        config = uvicorn.Config(
            dashboard.asgi,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=CLOSE_TIMEOUT_S,
            ws="none",
        )
        self._server, self._socket, self._dashboard = uvicorn.Server(config), listening, dashboard
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Answer in a thread, until `close`."""
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all streams, and answer no more."""
        self._dashboard.changes.ending = True
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(2 * CLOSE_TIMEOUT_S)
        with contextlib.suppress(OSError):
            self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
