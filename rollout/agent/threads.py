"""Thread ids that carry the version that began them: `v2~0f8b…`. A router reads the version from the front."""

from __future__ import annotations

import re
import uuid

MARK = "~"
"""No version has it, so that 1.4 is never taken for 1.4.2."""

_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def new_thread_id(version: str) -> str:
    """Return a new thread id of a version. Raises ValueError for what is no version."""
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is no version: use letters, digits, dots, - and _")
    return f"{version}{MARK}{uuid.uuid4()}"


def version_of(thread_id: str) -> str | None:
    """Return the version that began a conversation; None where its id does not say."""
    version, mark, _ = thread_id.partition(MARK)
    return version if mark and _VERSION.fullmatch(version) else None
