"""Which release a change of status has brought to its end, if any."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rollout.engine.analysis.judged import judged
from rollout.engine.analysis.verdict import Thresholds
from rollout.engine.strategy import strategy_of
from rollout.model.pinned import pinned_policy
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result

_ENDED_AT = {
    Phase.DRAINING: Result.PROMOTED,
    Phase.ROLLED_BACK: Result.ROLLED_BACK,
    Phase.SUPERSEDING: Result.SUPERSEDED,
}


def finished(before: Status, after: Status, now: datetime) -> FinishedRelease | None:
    """Return the release that ended between two statuses; None if none did.

    A promotion is an end as soon as it is written down, before the drain. An undo ends no release of its own: it is
    told as one, from the moment it was asked for.
    """
    candidate, stable = after.candidate_version, after.stable_version
    if after.phase is before.phase or candidate is None or stable is None or after.latest.started_at is None:
        return None
    if after.phase not in _ENDED_AT:
        return None
    undone = after.latest.result is Result.UNDONE
    result = (
        _ENDED_AT[after.phase] if after.phase is Phase.SUPERSEDING else after.latest.result or _ENDED_AT[after.phase]
    )
    promoted = after.phase is Phase.DRAINING
    return FinishedRelease(
        candidate=stable if undone else candidate,
        previous=candidate if undone else (after.previous_version or stable) if promoted else stable,
        result=result,
        reason=after.reason,
        message=after.message,
        started_at=(before.phase_since or now) if undone else after.latest.started_at,
        ended_at=now,
        paused_s=0.0 if undone else after.latest.paused_s,
        retries=after.latest.retries,
        undoing=after.latest.undoing or undone,
        policy_digest=after.latest.policy.digest if after.latest.policy else "",
        **({} if undone else _judgement(after)),
    )


def _judgement(status: Status) -> dict[str, Any]:
    """Return what a release was judged by, and what it came to."""
    policy, release = pinned_policy(status), status.latest
    if policy is None:
        return {}
    needed = Thresholds.of(policy.evidence, release.retries)
    steps = strategy_of(policy, undoing=release.undoing).steps
    return {
        "steps_bp": tuple(step.weight_bp for step in steps),
        "reached": len(steps) if release.result is Result.PROMOTED else release.step,
        "kpis": judged(policy, release.evidence),
        "harm_e": release.harm_e,
        "harm_needed_e": needed.harm,
        "proof_needed_e": needed.proof,
        "state": release.state.verdict if release.state else None,
    }
