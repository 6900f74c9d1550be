"""Statuses for tests, written in one line."""

from __future__ import annotations

from typing import Any

from rollout.model.status.release import NO_RELEASE, Release
from rollout.model.status.status import Status


def status_with(status: Status | None = None, **fields: Any) -> Status:
    """Return a status, or one that is changed, with fields of its own and of its release."""
    status = status or Status()
    changes = {name: value for name, value in fields.items() if name in Release.model_fields}
    if changes:
        release = (status.release or NO_RELEASE).model_copy(update=changes)
        fields = {name: value for name, value in fields.items() if name not in changes} | {"release": release}
    return status.model_copy(update=fields)
