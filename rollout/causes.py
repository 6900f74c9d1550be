"""What an error of a library means, in our words. Its own text is never part of them: it may quote a secret."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator

CHAIN_MAX = 20

_SQLITE = {
    "SQLITE_BUSY": "somebody else holds it",
    "SQLITE_CANTOPEN": "it cannot be opened",
    "SQLITE_CORRUPT": "it is damaged",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_INTERRUPT": "it took too long",
    "SQLITE_IOERR": "the disk cannot be read or written",
    "SQLITE_LOCKED": "somebody else holds it",
    "SQLITE_NOMEM": "there is not enough memory",
    "SQLITE_NOTADB": "it is no SQLite database",
    "SQLITE_PERM": "access is denied",
    "SQLITE_READONLY": "it may only be read",
    "SQLITE_TOOBIG": "a value in it is too large",
}

_CODES: dict[type[BaseException], int] = {
    BrokenPipeError: errno.EPIPE,
    ConnectionAbortedError: errno.ECONNABORTED,
    ConnectionRefusedError: errno.ECONNREFUSED,
    ConnectionResetError: errno.ECONNRESET,
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
}
"""By the class, where whoever raised it gave no number."""

_BY_NAME = (
    ("Timeout", "it did not answer in time"),
    ("Protocol", "it closed the connection, or does not speak HTTP"),
    ("IncompleteRead", "it closed the connection"),
    ("RemoteDisconnected", "it closed the connection"),
    ("Decod", "its answer is not encoded as it says"),
    ("InvalidURL", "the address is no URL"),
    ("InvalidHeader", "a header would not be proper HTTP"),
)
"""Classes of HTTP libraries by a part of their names: whoever raises one need not be imported to be understood."""


def why(error: BaseException) -> str:
    """Return what went wrong, by the kinds of an error and of those behind it."""
    chain = list(_chain(error))
    for cause in chain:
        if meaning := _meaning(cause):
            return meaning
    return type(error).__name__


def _meaning(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "verify_message", "no reason was given")
        return f"its certificate cannot be verified ({reason.rstrip('.')})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({getattr(error, 'reason', None) or 'no reason was given'})"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, socket.gaierror):
        return "the name cannot be resolved"
    if isinstance(error, OSError) and (code := error.errno or _CODES.get(type(error))):
        return os.strerror(code)
    if isinstance(error, UnicodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if name := getattr(error, "sqlite_errorname", ""):
        return _sqlite(str(name))
    return next((meaning for part, meaning in _BY_NAME if part in type(error).__name__), "")


def _sqlite(name: str) -> str:
    """Return what SQLite's extended code says; the name of the code itself is a constant of SQLite's."""
    return next((meaning for code, meaning in _SQLITE.items() if name.startswith(code)), f"SQLite says {name}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield what is behind an error before the error itself: the innermost is the most precise."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(seen) < CHAIN_MAX:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    yield from reversed(seen)
