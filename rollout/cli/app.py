"""The command `rollout`. Heavy imports happen where they are used: `--help` must be quick."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from rollout.cli import at_once, streams
from rollout.errors import Fault, InvalidInput, RolloutError
from rollout.redaction import SECRETS

if TYPE_CHECKING:
    import typer

OUTPUT_LOST = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT)
"""What writing to a stream fails with. Files are written elsewhere, and what fails there is told by whoever does."""


def command_line() -> typer.Typer:
    """Return the command line: a verb is imported when it is asked for."""
    import typer

    from rollout.cli import layout
    from rollout.cli.help import RootGroup

    app = typer.Typer(
        name="rollout",
        cls=RootGroup,
        help=layout.ABOUT,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root())
    return app


def _root() -> Callable[[bool], None]:
    import typer

    def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
        if version:
            raise typer.Exit(at_once.version())

    root.__annotations__["version"] = bool
    return root


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
        if (code := at_once.answered(sys.argv[1:])) is not None:
            return code
        if _wants_json(sys.argv[1:]):
            return _call_for_document()
        command_line()()
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
        code = command_line()(standalone_mode=False)
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
    from rollout.cli.say import say

    say(SECRETS.redact(f"error: {message}"), err=True)


def _wants_json(arguments: list[str]) -> bool:
    """Whether a document was asked for, be the rest of the command line right or wrong."""
    named = any(one in ("-o", "--output") and other == "json" for one, other in itertools.pairwise(arguments))
    return named or bool({"--output=json", "-ojson"} & {*arguments})


if __name__ == "__main__":
    main()
