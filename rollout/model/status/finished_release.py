"""One release that is over: what history tells."""

from __future__ import annotations

from datetime import datetime

from rollout.model.base import Record
from rollout.model.status.vocabulary import Reason, Result


class FinishedRelease(Record):
    """A rollout from its start to its end.

    Attributes:
        previous: the version that was stable before it.
        paused_s: how long of the time it waited for a human, or for whoever else had paused it.
        undoing: the way back.
    """

    candidate: str
    previous: str
    result: Result
    reason: Reason
    message: str
    started_at: datetime
    ended_at: datetime
    paused_s: float = 0.0
    retries: int = 0
    undoing: bool = False
    policy_digest: str = ""
