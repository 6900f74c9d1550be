"""`rollout wait`: for pipelines that wait for a promotion; the exit code says how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.options import Files, OptionalName, Output, OutputAs, StateDir
from rollout.cli.starting import OnPause

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.engine.plan import Plan
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
    from rollout.cli.follow import TimedOut, follow
    from rollout.cli.outcome import exit_code, finish
    from rollout.cli.watch import watcher

    name = row.rollout.metadata.name
    version = row.rollout.spec.version or row.rollout.status.stable_version or ""
    latest = row.rollout
    if not row.holder and row.rollout.status.is_active:
        typer.echo("no controller carries it out now; rollout start, or rollout daemon, does", err=True)

    def see(plan: Plan) -> None:
        nonlocal latest
        found = store.get(name)
        latest = found.rollout if found else latest
        watching.show(plan)

    with watcher(name, lambda: latest) as watching:
        try:
            over = _over(version, on_pause, lambda: latest.spec.version)
            status = follow(store, name, store.last_decision(name), see, over, timeout_s=timeout_s)
        except TimedOut:
            typer.echo(f"{version}: {latest.status.message or 'nothing has begun'}")
            typer.echo(f"(exit {TIMED_OUT}: not over after {timeout_s:g} s; it goes on)", err=True)
            return TIMED_OUT
    return finish(latest, exit_code(status, latest.spec.version, version), output, version)


def _over(version: str, on_pause: OnPause, declared: Callable[[], str | None]) -> Callable[[Plan], bool]:
    """Return what says that the version that was wanted at first is promoted, or will not be without somebody."""
    from rollout.engine.wanting import starts_by_itself
    from rollout.model.status import Phase

    def over(plan: Plan) -> bool:
        status = plan.status
        if declared() != version:
            return True
        if status.phase in (Phase.PAUSED, Phase.FROZEN):
            return on_pause is OnPause.FAIL
        if status.is_active and status.phase is not Phase.DRAINING:
            return False
        return not starts_by_itself(status, version)

    return over
