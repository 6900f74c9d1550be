"""A release of which only what people see is left: the controller's own part of the status cannot be read."""

from __future__ import annotations

from rollout.model.status.status import Status
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Phase, Reason


def without_evidence(status: Status) -> Status:
    """Return the status to go on from: a release that cannot be judged any more goes back to stable, by no policy."""
    if not status.is_active or status.stable_version is None:
        return status
    back = Traffic(wanted_bp=0, asked_at=status.phase_since, off_since=status.phase_since)
    return status.model_copy(
        update={
            "phase": Phase.ROLLING_BACK,
            "reason": Reason.FAULT,
            "message": "what was known of this release cannot be read any more, so it cannot be judged",
            "release": status.latest.model_copy(update={"traffic": back}),
        }
    )
