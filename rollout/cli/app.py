"""The command `rollout`. Heavy imports happen where they are used: `--help` must be quick."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading

import typer

from rollout.cli import streams
from rollout.cli.commands import (
    contract,
    crd,
    daemon,
    demo,
    drain,
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
from rollout.cli.say import say
from rollout.errors import InvalidInput, RolloutError
from rollout.redaction import SECRETS

OUTPUT_LOST = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT)
"""What writing to a stream fails with. Files are written elsewhere, and what fails there is told by whoever does."""

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
drain.register(app)
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
    """Run the command line; exit codes as in docs/reference.md. No traceback for a user's mistake, or for Ctrl-C."""
    streams.open_missing()
    streams.redact_tracebacks()
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        SECRETS.note_environment(os.environ)
        code = _run()
    except KeyboardInterrupt:
        code = streams.INTERRUPTED
    if code == streams.INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would only spoil the end
    sys.exit(streams.flushed(code))


def _run() -> int:
    try:
        app()
    except SystemExit as ended:  # the usual way
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except InvalidInput as error:
        count = len(error.faults)
        _complain(f"{count} {'fault' if count == 1 else 'faults'}; nothing was changed\n{error}")
        return error.exit_code
    except RolloutError as error:
        _complain(str(error))
        return error.exit_code
    except OSError as error:
        if error.errno not in OUTPUT_LOST:
            raise
        return streams.lost(error)
    return 0


def _complain(message: str) -> None:
    say(SECRETS.redact(f"error: {message}"), err=True)


if __name__ == "__main__":
    main()
