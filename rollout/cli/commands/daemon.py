"""`rollout daemon`: carries out all rollouts of one state directory, or of a cluster, until it is stopped."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.help import CLUSTER, MACHINE
from rollout.cli.options import AllNamespaces, Context, Files, Kubeconfig, Namespace, StateDir
from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.adapters.egress import Egress
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.controller.controller import Settings


DashboardAddress = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT",
        help="Serve the dashboard here too, such as 127.0.0.1:3200. In a cluster each user signs in with a token of"
        " their own, and the API server decides what they may do.",
    ),
]
TokenHeader = Annotated[
    str,
    typer.Option(
        metavar="HEADER",
        rich_help_panel=CLUSTER,
        help="A header in which a proxy hands the user's token on, besides Authorization, such as"
        " x-forwarded-access-token.",
    ),
]


def register(app: typer.Typer) -> None:
    @app.command()
    def daemon(
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        all_namespaces: AllNamespaces = False,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        workers: Annotated[int, typer.Option(min=1, max=64, help="How many rollouts are reconciled at once.")] = 4,
        until_idle: Annotated[
            bool, typer.Option("--until-idle", rich_help_panel=MACHINE, help="End once nothing is under way.")
        ] = False,
        listen: Annotated[
            str,
            typer.Option(metavar="HOST:PORT", rich_help_panel=CLUSTER, help="Where probes and metrics are answered."),
        ] = "",
        lease_namespace: Annotated[
            str,
            typer.Option(
                metavar="NAMESPACE",
                rich_help_panel=CLUSTER,
                help="Where the lease is [default: rollout-system with -A].",
            ),
        ] = "",
        shards: Annotated[
            int,
            typer.Option(
                min=1,
                max=64,
                rich_help_panel=CLUSTER,
                help="Into how many shards rollouts are divided; replicas share them. The same for all replicas.",
            ),
        ] = 1,
        gate_token: Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME=HOST[,HOST]",
                rich_help_panel=CLUSTER,
                help="A variable that policies may send to hosts, ROLLOUT_GATE_X=HOST[,HOST]; repeatable.",
            ),
        ] = None,
        allow_host: Annotated[
            list[str] | None,
            typer.Option(
                metavar="HOST",
                rich_help_panel=CLUSTER,
                help="A host that Rollouts and policies may name besides Services of their own namespace,"
                " such as prometheus.monitoring or *.example.com:443; repeatable [default: any].",
            ),
        ] = None,
        dashboard: DashboardAddress = "",
        dashboard_token_header: TokenHeader = "",
        dry_run: Annotated[
            bool, typer.Option("--dry-run", rich_help_panel=CLUSTER, help="Log plans, write nothing.")
        ] = False,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every sample, not only decisions.")] = False,
    ) -> None:
        """Run all rollouts of this machine, or of a cluster. Decisions are logged to stderr.

        It looks after a cluster in a pod, and where -n, -A, --context or --kubeconfig is given.
        """
        from rollout.cli.location import POD, Place
        from rollout.errors import Fault, InvalidInput
        from rollout.runtime.logs import configure
        from rollout.runtime.memory import not_imported

        configure(verbose=verbose, decisions=True)
        place = Place(None, None, namespace, all_namespaces, context, kubeconfig)
        if place.names_cluster or POD.exists():
            if not (namespace or all_namespaces):
                remedy = "set -n NAMESPACE, or -A. Two controllers must not run the same rollouts"
                raise InvalidInput([Fault("-n", "no namespace is set", remedy)])
            with not_imported("rich"):  # httpx takes it for a command line of its own
                from rollout.controller.controller import Settings
                from rollout.controller.manager import identity

            watched = None if all_namespaces else namespace
            settings = Settings(watched, identity(), workers, dry_run, egress=egress_of(gate_token or [], allow_host))
            with _pages(dashboard, kubeconfig, context, watched, dashboard_token_header):
                code = _cluster(settings, context, kubeconfig, listen, lease_namespace, shards)
            raise typer.Exit(code)
        _local(files, state, workers, until_idle=until_idle, dashboard=dashboard)


def _pages(
    listen: str, kubeconfig: Path | None, context: str | None, namespace: str | None, token_header: str
) -> AbstractContextManager[None]:
    """Return what serves the dashboard meanwhile; nothing without an address. Raises InvalidInput."""
    if not listen:
        return nullcontext()
    from rollout.cli.pages import require_packages, served_to_users

    require_packages()
    return served_to_users(kubeconfig, context, namespace, listen, token_header.lower())


def _cluster(
    settings: Settings, context: str | None, kubeconfig: Path | None, listen: str, lease_namespace: str, shards: int
) -> int:
    import threading

    from rollout.controller.manager import LEASE_NAMESPACE, serve
    from rollout.runtime.memory import collect_seldom, share_arenas
    from rollout.runtime.signals import on_stop
    from rollout.runtime.threads import take_longer_turns

    share_arenas()
    collect_seldom()
    take_longer_turns()
    stopped = threading.Event()
    where = f"namespace {settings.namespace}" if settings.namespace else "all namespaces"
    say(f"looks after the rollouts of {where}{' and writes nothing' if settings.dry_run else ''}", err=True)
    with on_stop(stopped.set):
        return serve(
            settings,
            stopped,
            kubeconfig=kubeconfig,
            context=context,
            lease_namespace=lease_namespace or settings.namespace or LEASE_NAMESPACE,
            listen=_address(listen),
            shards=shards,
        )


def egress_of(given: list[str], allowed: list[str] | None) -> Egress:
    """Return what --gate-token and --allow-host allow. Raises InvalidInput with every fault."""
    from rollout.adapters.egress import Egress
    from rollout.errors import Fault, InvalidInput

    hosts: dict[str, tuple[str, ...]] = {}
    faults = []
    for text in given:
        name, _, listed = text.partition("=")
        names = tuple(host.strip() for host in listed.split(",") if host.strip())
        if not name or not names:
            remedy = "write ROLLOUT_GATE_NAME=host, such as ROLLOUT_GATE_CI=ci.example.com"
            faults.append(Fault("--gate-token", "names no variable, or no host", remedy, text))
        hosts[name] = (*hosts.get(name, ()), *names)
    if faults:
        raise InvalidInput(faults)
    return Egress(hosts, tuple(allowed) if allowed is not None else None)


def _address(text: str) -> tuple[str, int] | None:
    from rollout.errors import Fault, InvalidInput

    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65_535:
        raise InvalidInput([Fault("--listen", "is not an address", "write host:port, such as 0.0.0.0:8080", text)])
    return host or "0.0.0.0", int(port)  # noqa: S104  what `:8080` means everywhere


def _local(files: list[Path] | None, state: Path | None, workers: int, *, until_idle: bool, dashboard: str) -> None:
    import threading

    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.files import state_of
    from rollout.local.daemon_lock import only_one
    from rollout.local.supervisor import Supervisor
    from rollout.runtime.signals import on_stop

    directory = state_of(state, files)
    store = SqliteStore(directory, create=True)
    stopped = threading.Event()
    with on_stop(stopped.set), only_one(directory) as ending, _own_pages(store, dashboard):
        say(f"running the rollouts in {directory}. Ctrl-C stops the daemon; Envoy keeps running", err=True)
        Supervisor(store, workers=workers).run(stopped, ending if until_idle else None)
    say("stopped. To continue: rollout daemon, or rollout start", err=True)


def _own_pages(store: SqliteStore, listen: str) -> AbstractContextManager[None]:
    if not listen:
        return nullcontext()
    from rollout.cli.commands.steer import login
    from rollout.cli.pages import require_packages, served_to_one
    from rollout.dashboard.local_source import LocalSource

    require_packages()
    return served_to_one(LocalSource(store, login()), listen, "--dashboard")
