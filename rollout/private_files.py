"""Files and directories for this user only: what rollouts say, and what steers traffic, is nobody else's."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import IO

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_directory(path: Path) -> None:
    """Create a directory, with those above it, unless it is there. Raises OSError."""
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        with contextlib.suppress(FileExistsError):  # somebody else was quicker
            place.mkdir(mode=DIRECTORY_MODE)


def close_to_others(path: Path) -> None:
    """Take the rights of others from a file or a directory of ours that an earlier release has written."""
    with contextlib.suppress(OSError):
        there = path.stat()
        if there.st_uid == os.getuid() and there.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(there.st_mode) & ~_OTHERS)


def open_file(path: Path, flags: int) -> int:
    """Open a file, for `open(opener=…)`: it is created private."""
    return os.open(path, flags, FILE_MODE)


def appending(path: Path) -> IO[str]:
    """Open a file to append to it; it is created private. Raises OSError."""
    close_to_others(path)
    return open(path, "a+", encoding="utf-8", opener=lambda name, flags: open_file(Path(name), flags))


def write(path: Path, text: str) -> None:
    """Put a private file in place whole. Raises OSError."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with appending(fresh) as file:
        file.write(text)
    fresh.replace(path)
