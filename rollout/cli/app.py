"""The command `rollout`. Heavy imports happen where they are used: `--help` must be quick."""

from __future__ import annotations

import os
import sys

import typer

from rollout.cli.commands import (
    contract,
    crd,
    daemon,
    demo,
    history,
    init,
    lint,
    router,
    schema,
    show,
    start,
    steer,
    wait,
)
from rollout.errors import InvalidInput, RolloutError
from rollout.redaction import SECRETS

app = typer.Typer(
    name="rollout",
    help="Release new versions of AI agents safely: shift conversations, judge with evidence, record each reason.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
init.register(app)
start.register(app)
daemon.register(app)
show.register(app)
history.register(app)
steer.register(app)
wait.register(app)
lint.register(app)
demo.register(app)
router.register(app)
contract.register(app)
crd.register(app)
schema.register(app)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from rollout import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; exit codes as in docs/reference.md. No traceback for a user's mistake."""
    SECRETS.note_environment(os.environ)
    try:
        app()
    except InvalidInput as error:
        count = len(error.faults)
        _complain(f"{count} {'fault' if count == 1 else 'faults'}; nothing was changed\n{error}")
        sys.exit(error.exit_code)
    except RolloutError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more while shutting down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _complain(message: str) -> None:
    print(SECRETS.redact(f"error: {message}"), file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
