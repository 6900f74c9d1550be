"""Will what is declared start by itself, and what is kept in mind so that it does not? One answer for everybody."""

from __future__ import annotations

from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result

FAILED_KEPT = 20
"""So many failed versions are kept in mind."""

DOWN_SAMPLES = 3
"""A candidate that does not answer for so many samples in a row, while stable does, is worse: no statistics needed."""


def is_down(status: Status) -> bool:
    """Whether the candidate has users and does not answer, while stable does."""
    return status.latest.unready_samples >= DOWN_SAMPLES and status.latest.traffic.wanted_bp > 0


def is_harmful(status: Status) -> bool:
    """Whether the evidence that the candidate is worse stands."""
    return bool(status.latest.culprits) or is_down(status)


def starts_by_itself(status: Status, wanted: str | None) -> bool:
    """Whether a declared version begins a rollout once nothing is under way.

    Not the stable one; not one that was turned down; not one that failed, until somebody retries it. One that was
    undone was turned down: declared anew, it is a new wish.
    """
    if wanted is None or wanted in (status.stable_version, status.declined_version, *status.failed):
        return False
    stopped = status.phase is Phase.ROLLED_BACK and status.latest.result is not Result.UNDONE
    return not (stopped and wanted == status.candidate_version)


def failed_after(status: Status, *, always: bool = False) -> dict[str, int]:
    """Return the failed versions, the candidate among them if it leaves as one, so that trying another in between does
    not make it a new one.

    Args:
        always: whether it was rolled back; otherwise it failed if it was known to be worse, or had failed before.
    """
    candidate = status.candidate_version
    if candidate is None or status.latest.undoing or not (always or is_harmful(status) or status.latest.retries):
        return status.failed
    others = [(version, tries) for version, tries in status.failed.items() if version != candidate]
    return {**dict(others[-FAILED_KEPT + 1 :]), candidate: status.latest.retries}
