"""May the version that has the traffic go on with another's conversations? As the contracts said."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.model.agent_state import Axis, Severity


def may_go_on(context: PlanContext, version: str, axis: Axis | None = None) -> bool:
    """Whether conversations of a version may move.

    Args:
        version: whose conversations they are; for one that is drained, what was found when it lost.
        axis: during a release, in which direction they would move.
    """
    if axis is None:
        drain = context.status.draining.get(version)
        return drain is not None and drain.may_move
    state = context.release.state
    return state is not None and state.verdict is not None and state.verdict.of(axis) is Severity.OK
