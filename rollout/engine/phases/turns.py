"""The turn of each phase: one function a phase, at most one event each time."""

from __future__ import annotations

from collections.abc import Callable

from rollout.engine.context import PlanContext
from rollout.engine.phases import bake, drain, held, idle, preflight, rollback, steps
from rollout.model.status.vocabulary import Phase


def take_turn(context: PlanContext) -> None:
    """Let the phase take its turn."""
    _TURNS[context.status.phase](context)


_TURNS: dict[Phase, Callable[[PlanContext], None]] = {
    Phase.STABLE: idle.stable,
    Phase.PREFLIGHT: preflight.preflight,
    Phase.SHIFTING: steps.shifting,
    Phase.OBSERVING: steps.observing,
    Phase.BAKING: bake.baking,
    Phase.DRAINING: drain.draining,
    Phase.ROLLING_BACK: rollback.rolling_back,
    Phase.ROLLED_BACK: idle.rolled_back,
    Phase.PAUSED: held.paused,
    Phase.FROZEN: held.stay_frozen,
    Phase.SUPERSEDING: rollback.superseding,
}
