"""The verbs that steer a rollout: each appends a command; whoever carries the rollout out answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.options import Files, OptionalName, Output, OutputAs, StateDir

if TYPE_CHECKING:
    from rollout.engine.facts import Verb
    from rollout.model.status import CommandOutcome
    from rollout.records.sqlite import Row, Store

Why = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept with the decision.")]

ANSWER_TIMEOUT_S = 10.0
_POLL_S = 0.1

_HELP: dict[Verb, str] = {
    "promote": "Pass the step in force without waiting for its evidence.",
    "approve": "Give the approval that a step waits for.",
    "pause": "Hold the weight as it is; harm is still watched for.",
    "resume": "Go on after a pause.",
    "abort": "Send all new conversations back to the stable version. Works at any time.",
    "retry": "Try a rolled-back or frozen version again, with half the budget for false rollbacks.",
}


def register(app: typer.Typer) -> None:
    for verb, text in _HELP.items():
        app.command(name=verb, help=text)(_command(verb))


def _command(verb: Verb) -> Callable[..., None]:
    def command(
        name: OptionalName = None,
        reason: Why = "",
        files: Files = None,
        state: StateDir = None,
        output: OutputAs = Output.TEXT,
    ) -> None:
        from rollout.cli.options import open_store, pick

        store = open_store(state, files)
        row = pick(store, name)
        raise typer.Exit(_ask(store, row, verb, reason, output))

    return command


def _ask(store: Store, row: Row, verb: Verb, reason: str, output: Output) -> int:
    import getpass
    from datetime import UTC, datetime

    name = row.rollout.metadata.name
    try:
        actor = getpass.getuser()
    except (KeyError, OSError):
        actor = "unknown"
    command = store.append(name, verb, actor, reason, datetime.now(UTC), row.rollout.status)
    if store.is_held(name):
        return _report(_answer(store, name, command), verb, name, output)
    return _carry_out(store, row, command, output)


def _answer(store: Store, name: str, command: str) -> CommandOutcome | None:
    import time

    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline:
        row = store.get(name)
        if row is not None and command in row.rollout.status.handled:
            last = row.rollout.status.last_command
            return last if last is not None and last.id == command else None
        time.sleep(_POLL_S)
    return None


def _report(outcome: CommandOutcome | None, verb: str, name: str, output: Output) -> int:
    if output is Output.JSON:
        typer.echo(outcome.model_dump_json(by_alias=True, indent=2) if outcome else "null")
    elif outcome is None:
        typer.echo(f"{verb} is noted for {name}; the controller has not said yet what became of it", err=True)
    else:
        typer.echo(f"{verb} {name}: {'' if outcome.accepted else 'refused: '}{outcome.message}")
    return 0 if outcome is None or outcome.accepted else 2


def _carry_out(store: Store, row: Row, command: str, output: Output) -> int:
    """Nobody carries the rollout out: do what a controller would. An abort is seen through to its end."""
    from rollout.cli.watch import watcher
    from rollout.daemon.foreground import run
    from rollout.daemon.local import Machine
    from rollout.daemon.logs import configure
    from rollout.engine.plan import Plan
    from rollout.model.status import Phase

    configure(verbose=False)
    metadata = row.rollout.metadata
    held = store.hold(metadata, lambda recorded: recorded or row.rollout)

    def done(made: Plan) -> bool:
        return command in made.status.handled and made.status.phase is not Phase.ROLLING_BACK

    try:
        with Machine(held.load(), store.directory) as machine, watcher(metadata.name, held.load) as watching:
            run(metadata.name, machine.reconciler(held), watching.show, done)
        status = held.load().status
        outcome = status.last_command if status.last_command and status.last_command.id == command else None
        code = _report(outcome, outcome.verb if outcome else "", metadata.name, output)
        if code == 0 and status.is_active:
            typer.echo("no controller runs: rollout start goes on from here", err=True)
        return code
    finally:
        held.release()
