"""The command `rollout`. Heavy imports happen where they are used: `--help` must be quick."""

from __future__ import annotations

import errno
import importlib
import itertools
import os
import signal
import sys
import threading

import typer

from rollout.cli import streams
from rollout.cli.say import say
from rollout.errors import Fault, InvalidInput, RolloutError
from rollout.redaction import SECRETS

OUTPUT_LOST = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT)
"""What writing to a stream fails with. Files are written elsewhere, and what fails there is told by whoever does."""

COMMANDS = {
    "init": ("init",),
    "start": ("start",),
    "daemon": ("daemon",),
    "dashboard": ("dashboard",),
    "show": ("status", "list", "explain"),
    "history": ("history",),
    "diff": ("diff",),
    "steer": ("promote", "approve", "pause", "resume", "abort", "retry", "undo"),
    "wait": ("wait",),
    "drain": ("drain",),
    "lint": ("lint",),
    "demo": ("demo",),
    "router": ("router",),
    "contract": ("contract",),
    "crd": ("crd",),
    "schema": ("schema",),
}
"""The commands by the module that has them, in the order of the help."""


def command_line(asked: str | None = None) -> typer.Typer:
    """Return the command line; where a command is asked for, only the module that has it: the others cost a start."""
    app = typer.Typer(
        name="rollout",
        help="Release new versions of AI agents safely: shift conversations, judge with evidence, record each reason.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=True,
    )
    app.callback(invoke_without_command=True)(root)
    wanted = [module for module, names in COMMANDS.items() if asked in names] or list(COMMANDS)
    for module in wanted:
        importlib.import_module(f"rollout.cli.commands.{module}").register(app)
    return app


def _asked() -> str | None:
    """Return the command that was asked for; None where an option comes first, or a shell completes what it may be."""
    return sys.argv[1] if len(sys.argv) > 1 and "_ROLLOUT_COMPLETE" not in os.environ else None


def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        _print_version()
        raise typer.Exit


def _print_version() -> None:
    from rollout import __version__

    typer.echo(__version__)


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
    streams.leave(streams.flushed(code))


def _run() -> int:
    try:
        if sys.argv[1:] == ["--version"]:  # asked for often, and by programs: without the rest of the command line
            _print_version()
            return 0
        if _wants_json(sys.argv[1:]):
            return _call_for_document()
        command_line(_asked())()
    except SystemExit as ended:  # the usual way
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except InvalidInput as error:
        count = len(error.faults)
        _complain(f"{count} {'fault' if count == 1 else 'faults'}; nothing was changed\n{error}", error)
        return error.exit_code
    except RolloutError as error:
        _complain(str(error), error)
        return error.exit_code
    except OSError as error:
        if error.errno not in OUTPUT_LOST:
            raise
        return streams.lost(error)
    return 0


def _call_for_document() -> int:
    """Run a command that prints one document, also where the command line itself is wrong."""
    try:
        code = command_line(_asked())(standalone_mode=False)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt | EOFError):  # the library takes it for an end of its own
            raise KeyboardInterrupt from error
        if not isinstance(getattr(error, "exit_code", None), int) or not hasattr(error, "format_message"):
            raise
        message = str(error.format_message())
        raise InvalidInput([Fault("the command line", message, "see --help of the command")]) from None
    return code if isinstance(code, int) else 0


def _complain(message: str, error: RolloutError) -> None:
    """Say what went wrong; where a document was asked for, also as one, so that stdout always holds one."""
    if _wants_json(sys.argv[1:]):
        from rollout.cli.render.documents import error_document, print_document

        print_document(error_document(error))
    say(SECRETS.redact(f"error: {message}"), err=True)


def _wants_json(arguments: list[str]) -> bool:
    """Whether a document was asked for, be the rest of the command line right or wrong."""
    named = any(one in ("-o", "--output") and other == "json" for one, other in itertools.pairwise(arguments))
    return named or bool({"--output=json", "-ojson"} & {*arguments})


if __name__ == "__main__":
    main()
