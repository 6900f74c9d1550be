"""One release that is over: what history tells."""

from datetime import datetime

from pydantic import Field

from rollout.model.agent_state import CompatibilityVerdict
from rollout.model.base import Record
from rollout.model.status.judged import JudgedKpi
from rollout.model.status.vocabulary import Reason, Result


class FinishedRelease(Record):
    """A rollout from its start to its end.

    Attributes:
        previous: the version that was stable before it.
        paused_s: how long of the time it waited for a human, or for whoever else had paused it.
        undoing: the way back.
        steps_bp: the weights that its policy had, in basis points; 0 is a preview.
        reached: how many of these steps it had passed.
        kpis: as they were judged in the end; none where nothing was compared, or the record is of an earlier release.
        harm_e: the evidence of harm over all KPIs; harm_needed_e, proof_needed_e: what the policy asked for.
        state: what was found between the state of both versions.
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
    steps_bp: tuple[int, ...] = ()
    reached: int = 0
    kpis: dict[str, JudgedKpi] = Field(default_factory=dict)
    harm_e: float = 1.0
    harm_needed_e: float = 0.0
    proof_needed_e: float = 0.0
    state: CompatibilityVerdict | None = None
