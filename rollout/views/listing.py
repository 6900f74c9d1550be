"""All rollouts for people, a line each: those that need attention first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rollout.engine.analysis.verdict import Thresholds
from rollout.model.pinned import pinned_policy
from rollout.model.rollout import Rollout
from rollout.model.status.cluster_status import PENDING
from rollout.model.status.vocabulary import Phase
from rollout.model.units import FULL_BP
from rollout.views.kpi import Tone, done
from rollout.views.release import phase_tone


@dataclass(frozen=True, slots=True)
class ListedRollout:
    """One rollout in a list.

    Attributes:
        weight: the candidate's share, 0 to 1; None where no release is under way.
        harm_done: how far the evidence of harm has come, 0 to 1.
        needs: whether it waits for a human, or something is wrong.
    """

    namespace: str
    name: str
    stable: str
    candidate: str
    phase: str
    tone: Tone
    weight: float | None
    harm_done: float
    message: str
    needs: bool
    active: bool


def listed(rollouts: Iterable[tuple[Rollout, str]]) -> tuple[ListedRollout, ...]:
    """Return rollouts with their problems as lines of a list: who waits for a human first, then what is under way."""
    lines = [_line(rollout, problem) for rollout, problem in rollouts]
    return tuple(sorted(lines, key=lambda line: (not line.needs, not line.active, line.namespace, line.name)))


def _line(rollout: Rollout, problem: str) -> ListedRollout:
    status, policy = rollout.status, pinned_policy(rollout.status)
    active = status.is_active
    needed = Thresholds.of(policy.evidence, status.latest.retries).harm if policy and active else 0.0
    tone = phase_tone(status)
    return ListedRollout(
        namespace=rollout.metadata.namespace,
        name=rollout.metadata.name,
        stable=status.stable_version or "",
        candidate=(status.candidate_version or "") if active else "",
        phase=str(status.phase) if status.stable_version else PENDING,
        tone="bad" if problem else tone,
        weight=status.latest.traffic.wanted_bp / FULL_BP if active else None,
        harm_done=done(status.latest.harm_e, needed),
        message=problem.splitlines()[0] if problem else status.message or "nothing was rolled out yet",
        needs=bool(problem or status.blocked) or status.phase in (Phase.PAUSED, Phase.FROZEN),
        active=active,
    )
