"""Which code a contract is of: the folder it was imported from, and the commit there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

GIT_TIMEOUT_S = 5.0
_INSTALLED = ("site-packages", "dist-packages")


def code_source(file: Path | None) -> dict[str, Any] | None:
    """Return the folder that an agent's module was imported from, and the commit that is checked out there."""
    if file is None:
        return None
    root = _git(file.parent, "rev-parse", "--show-toplevel") or str(file.parent)
    commit = _git(file.parent, "rev-parse", "HEAD")
    changed = bool(commit) and bool(_git(file.parent, "status", "--porcelain", "--untracked-files=no"))
    return {"root": root, "commit": commit, "changed": changed}


def strayed(target: str, file: Path) -> str:
    """Return what to say where code was imported from another place than the one that the export runs in."""
    here = Path.cwd().resolve()
    if file.is_relative_to(here) or not _is_own(file):
        return ""
    return f"{target} was imported from {file}, which is not in {here}: is it the code that was meant?"


def _is_own(file: Path) -> bool:
    return not any(part in _INSTALLED for part in file.parts)


def _git(directory: Path, *arguments: str) -> str:
    """Return what git says; nothing where there is no git, or no repository."""
    if not _is_own(directory):
        return ""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        asked = subprocess.run(  # noqa: S603  no shell, constant arguments
            ["git", "-C", str(directory), *arguments],  # noqa: S607  whichever git there is
            capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False, env=environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
