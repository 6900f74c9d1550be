"""What a page showed when it was made: so that a change is noticed, and an action is for what somebody saw."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rollout.adapters.storage.base import Row
from rollout.engine.commands.offered import offered
from rollout.views.listing import listed


def digest_of(row: Row) -> str:
    """Return what stands for one rollout as it is."""
    return _digest(row.rollout.status.model_dump_json() + row.problem + row.holder)


def digest_of_all(rows: Iterable[Row]) -> str:
    """Return what stands for a list of rollouts as it is."""
    return _digest(repr(listed((row.rollout, row.problem) for row in rows)))


def moment_of(row: Row) -> str:
    """Return what stands for the moment of a release: its versions, policy, phase, step and verbs, not its samples."""
    status = row.rollout.status
    release = status.latest
    policy = release.policy.digest if release.policy else ""
    began = release.started_at.isoformat() if release.started_at else ""
    parts = (row.uid, status.stable_version, release.candidate_version, began, policy, status.phase, release.step)
    return _digest(repr((*parts, status.held_by, offered(status))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
