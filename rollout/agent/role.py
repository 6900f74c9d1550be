"""The role of a version, for workers: they take jobs from a queue, so no weight holds them back.

The controller keeps the ConfigMap `NAME-roles`. Mounted as a volume it is a directory with a file for each version in
use. Kubernetes brings a mounted ConfigMap up to date within about a minute.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

ROLES_DIRECTORY = "/etc/rollout/roles"


class Role(StrEnum):
    """What a version is now.

    Attributes:
        STABLE: it serves users, and takes work.
        CANDIDATE: it is released now.
        DRAINING: it lost, and keeps the conversations that it has.
        NONE: it is not in use, or nothing is known of it.
    """

    STABLE = "stable"
    CANDIDATE = "candidate"
    DRAINING = "draining"
    NONE = ""


def role_of(version: str, directory: str | Path = ROLES_DIRECTORY) -> Role:
    """Return the role of a version, as it stands now; read anew at each call.

    A worker asks before it takes a job: ``if role_of(VERSION) is Role.STABLE: ...``
    """
    try:
        return Role((Path(directory) / version).read_text(encoding="utf-8").strip())
    except (OSError, ValueError):  # no such file; or a word that a newer controller has written
        return Role.NONE
