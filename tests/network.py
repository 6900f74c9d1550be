"""Ports of this machine."""

from __future__ import annotations

import socket
from contextlib import closing

_GIVEN: set[int] = set()
TRIES = 100


def free_port() -> int:
    """Return a port that nobody listens on, and that was not returned to this process before."""
    for _ in range(TRIES):
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port
    raise AssertionError(f"the machine gave {TRIES} ports, none of them new")
