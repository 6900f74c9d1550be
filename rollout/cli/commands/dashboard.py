"""`rollout dashboard`: the rollouts of this machine, or of a cluster, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.location import Place
from rollout.cli.options import AllNamespaces, Context, Files, Kubeconfig, Namespace, StateDir
from rollout.cli.say import say

if TYPE_CHECKING:
    import socket

    from rollout.dashboard.source import Source

USUAL_PORT = 3200
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register(app: typer.Typer) -> None:
    @app.command()
    def dashboard(
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        all_namespaces: AllNamespaces = False,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        listen: Annotated[
            str, typer.Option(help=f"Where to answer, on this machine only [default: 127.0.0.1:{USUAL_PORT}].")
        ] = "",
    ) -> None:
        """Show the rollouts in a browser: live, with their evidence, and with actions in your name.

        Open the address that is printed: it carries a token that only you know. Ctrl-C ends it.
        """
        import threading

        require_packages()
        from rollout.dashboard.access import OneToken
        from rollout.dashboard.app import dashboard as pages
        from rollout.dashboard.server import DashboardServer
        from rollout.dashboard.sessions import Sessions
        from rollout.runtime.clock import WallClock
        from rollout.runtime.logs import configure
        from rollout.runtime.signals import on_stop

        configure(verbose=False)
        source = _source(Place(files, state, namespace, all_namespaces, context, kubeconfig))
        listening = _listening(listen)
        clock = WallClock()
        sessions = Sessions(clock)
        access = OneToken(source, sessions)
        server = DashboardServer(pages(access, sessions, clock), listening)
        stopped = threading.Event()
        with on_stop(stopped.set):
            say(f"http://127.0.0.1:{server.port}/?token={access.token}")
            say(f"shows {source.label} as {source.actor}. Ctrl-C ends the dashboard; the rollouts go on", err=True)
            server.run(stopped)


def _source(place: Place) -> Source:
    from rollout.cli.commands.steer import login

    if place.is_local:
        from rollout.adapters.storage.sqlite import SqliteStore
        from rollout.cli.options import state_of
        from rollout.dashboard.local_source import LocalSource

        return LocalSource(SqliteStore(state_of(place.state, place.files)), login())
    from rollout.dashboard.cluster_source import ClusterSource

    api, namespace = place.api()
    return ClusterSource(api, namespace, f"namespace {namespace}" if namespace else "all namespaces")


def _listening(listen: str) -> socket.socket:
    from rollout.dashboard.server import bound
    from rollout.errors import Fault, InvalidInput

    if not listen:
        try:
            return bound("127.0.0.1", USUAL_PORT)
        except InvalidInput:
            return bound("127.0.0.1", 0)  # the usual port is taken: any other will do
    host, _, port = listen.rpartition(":")
    if host.strip("[]") not in _LOOPBACK or not port.isdigit() or int(port) > 65_535:
        remedy = "write 127.0.0.1:PORT. To see it from elsewhere: ssh -L PORT:127.0.0.1:PORT, or `rollout daemon`"
        message = "is not an address of this machine alone"
        raise InvalidInput([Fault("--listen", message, remedy, listen)])
    return bound(host.strip("[]"), int(port))


def require_packages() -> None:
    """Raise InvalidInput where what serves pages is not installed: it is an extra."""
    from importlib.util import find_spec

    from rollout.errors import Fault, InvalidInput

    missing = [name for name in ("starlette", "uvicorn", "jinja2") if find_spec(name) is None]
    if missing:
        remedy = "install it with the extra: pip install 'agent-rollout[dashboard]'"
        raise InvalidInput([Fault("dashboard", f"not installed: {', '.join(missing)}", remedy)])
