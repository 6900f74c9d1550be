"""`rollout wait`: for pipelines that wait for a promotion; the exit code says how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.options import Files, OptionalName, Output, OutputAs, StateDir
from rollout.cli.starting import OnPause, until_settled

if TYPE_CHECKING:
    from rollout.records.sqlite import Row, Store

TIMED_OUT = 124


def register(app: typer.Typer) -> None:
    @app.command()
    def wait(
        name: OptionalName = None,
        files: Files = None,
        state: StateDir = None,
        timeout: Annotated[str, typer.Option(help="Give up after so long (exit 124), such as 30m or 2h.")] = "2h",
        on_pause: Annotated[OnPause, typer.Option(help="At a pause: wait for a human, or exit 4.")] = OnPause.WAIT,
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Wait until the version that is wanted now is promoted (exit 0), or will not be (3, 4)."""
        from rollout.cli.options import open_store, pick

        timeout_s = _seconds(timeout)
        store = open_store(state, files)
        raise typer.Exit(_wait(store, pick(store, name), timeout_s, on_pause, output))


def _seconds(text: str) -> float:
    from rollout.errors import Fault, InvalidInput
    from rollout.model.units import duration_s

    try:
        return duration_s(text)
    except ValueError as error:
        raise InvalidInput([Fault("--timeout", str(error), "write it like 30m or 2h", text)]) from error


def _wait(store: Store, row: Row, timeout_s: float, on_pause: OnPause, output: Output) -> int:
    from rollout.cli.follow import Follower, TimedOut
    from rollout.cli.outcome import exit_code, finish
    from rollout.cli.watch import watcher

    follower = Follower(store, row)
    version = row.rollout.spec.version or row.rollout.status.stable_version or ""
    if not row.holder and row.rollout.status.is_active:
        typer.echo("no controller carries it out now; rollout start, or rollout daemon, does", err=True)
    with watcher(row.rollout.metadata.name, follower.load) as watching:
        try:
            settled = until_settled(version, on_pause, follower.load)
            status = follower.until(settled, watching.show, timeout_s=timeout_s)
        except TimedOut:
            typer.echo(f"{version}: {follower.load().status.message or 'nothing has begun'}")
            typer.echo(f"(exit {TIMED_OUT}: not over after {timeout_s:g} s; it goes on)", err=True)
            return TIMED_OUT
    found = follower.load()
    return finish(found, exit_code(status, found.spec.version, version), output, version)
