"""`rollout dashboard`: the rollouts of this machine, or of a cluster, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.location import Place
from rollout.cli.options import AllNamespaces, Context, Files, Kubeconfig, Namespace, StateDir
from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.dashboard.source import RolloutSource


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
            str,
            typer.Option(metavar="HOST:PORT", help="Where to answer, on this machine only [default: 127.0.0.1:3200]."),
        ] = "",
    ) -> None:
        """Show the rollouts in a browser: live, with their evidence, and with actions in your name.

        Open the address that is printed: it carries a token that only you know. Ctrl-C ends it.
        """
        import threading

        from rollout.cli.pages import require_packages, served_to_one
        from rollout.runtime.logs import configure
        from rollout.runtime.signals import on_stop

        require_packages()
        configure(verbose=False)
        source = source_of(Place(files, state, namespace, all_namespaces, context, kubeconfig))
        stopped = threading.Event()
        with on_stop(stopped.set), served_to_one(source, listen, "--listen"):
            say(f"shows {source.label} as {source.actor}. Ctrl-C ends the dashboard; the rollouts go on", err=True)
            stopped.wait()


def source_of(place: Place) -> RolloutSource:
    """Return the rollouts of a place, as the user who asks. Raises StoreUnavailable, InvalidInput."""
    from rollout.cli.commands.steer import login

    if place.is_local:
        from rollout.adapters.storage.sqlite import SqliteStore
        from rollout.cli.files import state_of
        from rollout.dashboard.local_source import LocalSource

        return LocalSource(SqliteStore(state_of(place.state, place.files)), login())
    from rollout.dashboard.cluster_source import ClusterSource

    api, namespace = place.api()
    return ClusterSource(api, namespace, f"namespace {namespace}" if namespace else "all namespaces")
