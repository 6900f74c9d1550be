"""Standard output and error: what is done where nobody reads them, or where they cannot be written."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import sys
import threading
import traceback
from typing import IO, NoReturn

from rollout.redaction import SECRETS

LOST = 1
"""The exit code where the output is lost: the command was carried out, and nobody can read what it says."""

INTERRUPTED = 130
BROKEN_PIPE = 141
"""As a shell tells a program that SIGPIPE has ended."""


def open_missing() -> None:
    """Put a sink in the place of a stream that was closed before we began: libraries take it for granted."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  as long as we run


def redact_tracebacks() -> None:
    """Take known secrets out of the traceback of a fault of ours: a library quotes whatever it likes."""

    def tell(error: BaseException | None) -> None:
        if error is not None:
            with contextlib.suppress(OSError, ValueError):
                print(SECRETS.redact("".join(traceback.format_exception(error))), file=sys.stderr)  # noqa: T201

    sys.excepthook = lambda _kind, error, _trace: tell(error)
    threading.excepthook = lambda arguments: tell(arguments.exc_value)


def flushed(code: int | None) -> int:
    """Write what is left, and return the exit code, or what says that the output is lost."""
    failed = [error for error in (_flush(sys.stdout), _flush(sys.stderr)) if error is not None]
    return code or (lost(failed[0]) if failed else 0)


def leave(code: int) -> NoReturn:
    """End the process, whatever its threads are waiting for.

    Where a thread comes back while Python ends, Python may crash (python/cpython#87135): then it has no say in the end.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        atexit._run_exitfuncs()  # noqa: SLF001  nothing public runs them, and they may write files
        os._exit(code)
    sys.exit(code)


def lost(error: OSError) -> int:
    """Say that the output cannot be written, where anybody can read that; return the exit code."""
    _flush(sys.stdout)
    if error.errno == errno.EPIPE:
        return BROKEN_PIPE
    from rollout.causes import why

    with contextlib.suppress(OSError):
        print(f"error: the output cannot be written: {why(error)}", file=sys.stderr, flush=True)  # noqa: T201
    return LOST


def _flush(stream: IO[str]) -> OSError | None:
    """Write what is left of a stream. Where it cannot be, nothing more is: Python would complain at its end."""
    try:
        stream.flush()
    except OSError as error:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, stream.fileno())
        os.close(sink)
        return error
    except ValueError:  # it was closed
        return None
    return None
