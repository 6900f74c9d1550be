"""`rollout daemon`: carries out all rollouts of one state directory until it is stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from rollout.cli.options import Files, StateDir


def register(app: typer.Typer) -> None:
    @app.command()
    def daemon(
        files: Files = None,
        state: StateDir = None,
        workers: Annotated[int, typer.Option(min=1, max=64, help="How many rollouts are looked at at once.")] = 4,
        until_idle: Annotated[bool, typer.Option("--until-idle", help="End once nothing is under way.")] = False,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every look, not only decisions.")] = False,
    ) -> None:
        """Carry out all rollouts of this machine, several at once; log decisions to stderr as JSON lines."""
        import threading

        from rollout.cli.options import state_of
        from rollout.daemon.crew import Crew
        from rollout.daemon.lifetime import only_one
        from rollout.daemon.logs import configure
        from rollout.daemon.signals import on_stop
        from rollout.records.sqlite import Store

        configure(verbose=verbose, decisions=True)
        directory = state_of(state, files)
        store = Store(directory, create=True)
        stopped = threading.Event()
        with on_stop(stopped.set), only_one(directory) as ending:
            typer.echo(f"carries out the rollouts in {directory}; Ctrl-C ends it, Envoys go on", err=True)
            Crew(store, workers=workers).run(stopped, ending if until_idle else None)
        typer.echo("ended; rollout daemon, or rollout start, goes on from here", err=True)
