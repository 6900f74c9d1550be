"""The admin page of the Envoy that we start: on a unix socket that only this user can reach.

Whoever reaches an admin page can end the Envoy, read what passes through it, or fill a disk with its log. On loopback
that would be everybody on the machine.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from rollout import private_files
from rollout.adapters.http import unix_url
from rollout.errors import RouterUnavailable

PATH_MAX_BYTES = 100
"""The system takes 107; Envoy adds nothing to it."""

NAME = "admin.sock"


def socket_path(directory: Path) -> Path:
    """Return where the admin page of the Envoy in a directory is: there, or in a place with a shorter name."""
    path = directory / NAME
    if len(os.fsencode(path)) <= PATH_MAX_BYTES:
        return path
    unique = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rollout-{os.getuid()}-{unique}" / NAME


def prepare(path: Path) -> None:
    """See that the directory of a socket is there, and ours alone where others may write beside it.

    Raises RouterUnavailable, or OSError.
    """
    private_files.make_directory(path.parent)
    private_files.close_to_others(path.parent)
    there = path.parent.lstat()
    if path.parent.parent != Path(tempfile.gettempdir()):
        return
    if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.getuid():
        raise RouterUnavailable(f"{path.parent} is not ours, so no admin page is opened there: remove it")


def address(path: Path) -> dict[str, Any]:
    """Return the address as Envoy's configuration writes it."""
    return {"pipe": {"path": str(path), "mode": private_files.FILE_MODE}}


def url_of(written: str) -> str:
    """Return the URL of the admin page that Envoy has written down: a socket, or `host:port` of an earlier release."""
    return unix_url(Path(written)) if written.startswith("/") else f"http://{written}"
