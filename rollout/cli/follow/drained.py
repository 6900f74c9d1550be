"""Waiting for a version that lost to have no conversation left: then a pipeline may retire it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rollout.cli.say import say
from rollout.engine import messages
from rollout.errors import Fault, InvalidInput, Unavailable

if TYPE_CHECKING:
    from rollout.adapters.storage.base import RolloutStore
    from rollout.model.rollout import Rollout
    from rollout.model.status.status import Status

PROMOTED = "promoted"
DRAINED = "drained="
POLL_S = 0.5


def version_of(text: str) -> str | None:
    """Return the version of `drained=VERSION`; None for `promoted`. Raises InvalidInput for anything else."""
    if text == PROMOTED:
        return None
    version = text.removeprefix(DRAINED)
    if not text.startswith(DRAINED) or not version:
        raise InvalidInput([Fault("--for", "is nothing to wait for", "write promoted, or drained=VERSION", text)])
    return version


def refusal(status: Status, version: str) -> str:
    """Say why a version will not be drained: it is in use."""
    if version == status.stable_version:
        return f"{version} is the stable version: it is in use"
    if status.is_active and version == status.candidate_version:
        return f"{version} is being released: it is in use"
    return ""


def until_drained(store: RolloutStore, name: str, version: str, timeout_s: float) -> tuple[int, str, Rollout | None]:
    """Wait; return the exit code, a sentence, and the rollout as it was seen last."""
    deadline, progress, rollout = time.monotonic() + timeout_s, "", None
    while True:
        try:
            row = store.get(name)
        except Unavailable as error:
            row, now = None, f"{error}; it is tried again until the timeout"
        else:
            if row is None:
                return 4, f"{name} is gone, and with it all that pinned conversations to {version}", rollout
            rollout, status = row.rollout, row.rollout.status
            if problem := refusal(status, version):
                return 2, problem, rollout
            drain = status.draining.get(version)
            if drain is None:
                return 0, f"{version} is drained: nothing refers to it", rollout
            now = f"{version} is draining: {messages.open_conversations(drain.open, drain.problem)}"
        if now != progress:
            say(now, err=True)
            progress = now
        if time.monotonic() >= deadline:
            return 124, progress, rollout
        time.sleep(POLL_S)
