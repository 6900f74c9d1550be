"""The lease of a rollout on one machine: a lock on a file, which the system lets go of when its holder dies."""

from __future__ import annotations

import fcntl
from pathlib import Path

from rollout import private_files


def lock_path(directory: Path, name: str) -> Path:
    return directory / f"{name}.lock"


def is_held(directory: Path, name: str) -> bool:
    """Whether a controller carries a rollout out right now."""
    path = lock_path(directory, name)
    if not path.exists():
        return False
    with private_files.appending(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
