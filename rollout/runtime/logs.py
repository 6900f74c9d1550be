"""Logs: JSON lines on stderr, for programs. People read the screen."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, verbose: bool, decisions: bool = False) -> None:
    """Log warnings; with `decisions` those too; with `verbose` every look."""
    level = logging.DEBUG if verbose else logging.INFO if decisions else logging.WARNING
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
