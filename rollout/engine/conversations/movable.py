"""May conversations move to the other version of a release? As the contracts said."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.model.agent_state import Axis, Severity


def may_move(context: PlanContext, axis: Axis) -> bool:
    """Whether conversations may move.

    Args:
        axis: backward to the candidate, which then reads what stable wrote; forward to stable.
    """
    state = context.release.state
    return state is not None and state.verdict is not None and state.verdict.of(axis) is Severity.OK
