"""Will what is declared start by itself? One answer for the engine, the daemon and whoever waits."""

from __future__ import annotations

from rollout.model.status import Phase, Result, Status


def starts_by_itself(status: Status, wanted: str | None) -> bool:
    """Whether a declared version begins a rollout once nothing is under way.

    Not the stable one; not one that was turned down; not one that failed, until somebody retries it. One that was
    undone was turned down: declared anew, it is a new wish.
    """
    if wanted is None or wanted in (status.stable_version, status.declined_version, *status.failed):
        return False
    stopped = status.phase is Phase.ROLLED_BACK and status.result is not Result.UNDONE
    return not (stopped and wanted == status.candidate_version)
