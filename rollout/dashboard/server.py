"""The dashboard over HTTP, in a thread of its own, until it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rollout.dashboard.app import Dashboard
from rollout.errors import Fault, InvalidInput

CLOSE_TIMEOUT_S = 3
CONNECTIONS_MAX = 256
BACKLOG = 128
REQUEST_TIMEOUT_S = 10.0
"""So long a request may take to arrive: whoever sends nothing, or drips, holds no connection."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 whose requests arrive in time, and whose connections are counted when they come."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
        else:
            self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._expect()
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(REQUEST_TIMEOUT_S, self._give_up)

    def _give_up(self) -> None:
        self._late = None
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and not self.transport.is_closing():
            self.transport.abort()


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
            log_level="critical",  # what fails is logged where it is answered
            http=BoundedProtocol,
            timeout_graceful_shutdown=CLOSE_TIMEOUT_S,
            ws="none",
        )
        self._server, self._socket, self._dashboard = uvicorn.Server(config), listening, dashboard
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where it answers, as a browser has it."""
        host, port, *_ = self._socket.getsockname()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

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
