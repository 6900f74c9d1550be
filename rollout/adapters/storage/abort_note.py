"""An abort that is left where nothing else can be written: an empty file takes no room on a disk that is full.

Whoever carries the rollout out reads it as a command, and takes it away once the abort is recorded.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rollout import private_files
from rollout.causes import why
from rollout.errors import StoreUnavailable

if TYPE_CHECKING:
    from rollout.engine.facts import Command


def _path(directory: Path, name: str) -> Path:
    return directory / f"{name}.abort"


def leave(directory: Path, name: str) -> str:
    """Ask for an abort; return the command's id. Raises StoreUnavailable where not even that can be done."""
    path = _path(directory, name)
    try:
        os.close(private_files.open_file(path, os.O_CREAT | os.O_WRONLY))
    except OSError as error:
        raise StoreUnavailable(f"the abort cannot be left in {directory}: {why(error)}") from error
    command = read(directory, name)
    return command.id if command is not None else ""


def read(directory: Path, name: str) -> Command | None:
    """Return the abort that was left, if one was."""
    try:
        left = _path(directory, name).stat()
    except OSError:
        return None
    from rollout.engine.facts import Command  # noqa: PLC0415  an abort is rare, and whoever only reads needs none

    at = datetime.fromtimestamp(left.st_mtime, UTC)
    return Command(f"abort-{left.st_mtime_ns}", "abort", "unknown", "left while the store could not be written", at)


def take_away(directory: Path, name: str) -> None:
    """Take it away: it was recorded."""
    _path(directory, name).unlink(missing_ok=True)
