"""Logs on stderr: JSON lines for programs, readable lines on a terminal. The standard library's records as well."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO, cast

from rollout.redaction import SECRETS
from rollout.runtime.memory import not_imported

with not_imported("rich"):  # structlog imports it for tracebacks, which are plain here
    import structlog

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(*, verbose: bool, decisions: bool = False, stream: TextIO | None = None) -> None:
    """Log warnings; with `decisions` those too; with `verbose` every sample.

    What libraries log is kept to warnings: in their details they may quote a secret.

    Args:
        stream: stderr, unless given.
    """
    out = _Tolerant(stream or sys.stderr)
    level = logging.DEBUG if verbose else logging.INFO if decisions else logging.WARNING
    last = _last(out)
    structlog.configure(
        processors=[*_SHARED, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", out)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(cast("TextIO", out))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _Tolerant:
    """A stream whose lines are lost where it cannot be written: on a full disk a release must go on, and back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def _last(out: _Tolerant) -> list[structlog.typing.Processor]:
    """Return what turns an event into a line."""
    if out.isatty():
        return [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, sort_keys=False),
            _redact,
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(), _redact]


def _redact(_logger: object, _method: str, line: object) -> str:
    """Take the secrets that this process knows out of a line: a traceback quotes whatever a library says."""
    return SECRETS.redact(str(line))
