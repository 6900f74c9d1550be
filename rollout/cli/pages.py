"""Serving the dashboard from a command: in the foreground, or beside a daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rollout.cli.say import say

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from rollout.dashboard.access import Authenticator
    from rollout.dashboard.sessions import Sessions
    from rollout.dashboard.source import RolloutSource

USUAL_PORT = 3200
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PACKAGES = ("starlette", "uvicorn", "jinja2")


@contextmanager
def served_to_one(source: RolloutSource, listen: str, option: str) -> Iterator[None]:
    """Serve pages to whoever has the address that is printed, on this machine only. Raises InvalidInput."""
    from rollout.dashboard.access import OneToken

    listening = _own(listen, option)
    tokens: list[str] = []

    def access(sessions: Sessions) -> Authenticator:
        door = OneToken(source, sessions)
        tokens.append(door.token)
        return door

    with _serving(access, listening) as address:
        say(f"{address}/?token={tokens[0]}")
        yield


@contextmanager
def served_to_users(
    kubeconfig: Path | None, context: str | None, namespace: str | None, listen: str, token_header: str
) -> Iterator[None]:
    """Serve pages to users of a cluster, each with the rights of their own token. Raises InvalidInput."""
    from rollout.adapters.kubernetes.api import HttpApi
    from rollout.adapters.kubernetes.kubeconfig import configured
    from rollout.adapters.kubernetes.on_behalf import with_token
    from rollout.dashboard.access import ClusterTokens
    from rollout.dashboard.cluster_source import ClusterSource

    configuration, _ = configured(kubeconfig, context)
    label = f"namespace {namespace}" if namespace else "all namespaces"

    def source_of(token: str) -> RolloutSource:
        api = HttpApi(with_token(configuration, token), agent="rollout-dashboard", strict=True, ours=False)
        return ClusterSource(api, namespace, label)

    listening = _anywhere(listen)
    with _serving(lambda sessions: ClusterTokens(source_of, sessions, token_header), listening) as address:
        say(f"the dashboard answers at {address}. It asks for a token of the cluster", err=True)
        yield


def require_packages() -> None:
    """Raise InvalidInput where what serves pages is not installed: it is an extra."""
    from importlib.util import find_spec

    from rollout.errors import Fault, InvalidInput

    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        remedy = "install it with the extra: pip install 'agent-rollout[dashboard]'"
        raise InvalidInput([Fault("dashboard", f"not installed: {', '.join(missing)}", remedy)])


@contextmanager
def _serving(access_of: Callable[[Sessions], Authenticator], listening: socket.socket) -> Iterator[str]:
    from rollout.dashboard.app import dashboard
    from rollout.dashboard.server import DashboardServer
    from rollout.dashboard.sessions import Sessions
    from rollout.runtime.clock import WallClock

    clock = WallClock()
    sessions = Sessions(clock)
    server = DashboardServer(dashboard(access_of(sessions), sessions, clock), listening)
    server.start()
    try:
        yield server.address
    finally:
        server.close()


def _own(listen: str, option: str) -> socket.socket:
    """Return a socket on this machine's own address. Raises InvalidInput for any other."""
    from rollout.dashboard.server import bound
    from rollout.errors import Fault, InvalidInput

    if not listen:
        try:
            return bound("127.0.0.1", USUAL_PORT, option)
        except InvalidInput:
            return bound("127.0.0.1", 0, option)  # the usual port is taken: any other will do
    host, port = _address(listen, option)
    if host not in _LOOPBACK:
        remedy = "write 127.0.0.1:PORT. To see it from elsewhere: ssh -L PORT:127.0.0.1:PORT HOST"
        raise InvalidInput([Fault(option, "is not an address of this machine alone", remedy, listen)])
    return bound(host, port, option)


def _anywhere(listen: str) -> socket.socket:
    from rollout.dashboard.server import bound

    host, port = _address(listen, "--dashboard")
    return bound(host or "0.0.0.0", port, "--dashboard")  # noqa: S104  what `:8090` means everywhere


def _address(listen: str, option: str) -> tuple[str, int]:
    from rollout.errors import Fault, InvalidInput

    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65_535:
        raise InvalidInput([Fault(option, "is not an address", "write host:port, such as 127.0.0.1:3200", listen)])
    return host.strip("[]"), int(port)
