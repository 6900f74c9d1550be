"""Which state gate applies, and what it requires."""

from __future__ import annotations

from rollout.engine.context import PlanContext
from rollout.model.agent_state import Axis, StateGate

_REQUIRED = {
    "none": (),
    "backward": (Axis.BACKWARD,),
    "forward": (Axis.FORWARD,),
    "full": (Axis.BACKWARD, Axis.FORWARD),
}


def gate_of(context: PlanContext) -> StateGate | None:
    """Return the gate that applies: the policy's; the strict one where only a contract is declared; else none."""
    if context.release.undoing:
        return None  # who goes back has decided
    if context.policy.gates.state is not None:
        return None if context.policy.gates.state.require == "none" else context.policy.gates.state
    declared = (
        context.spec.contract is not None or context.release.state is not None
    )  # also if it was edited away meanwhile
    return StateGate() if declared else None


def axes_of(context: PlanContext, gate: StateGate) -> tuple[Axis, ...]:
    """Return the directions that must be safe. Where requests are split one by one, a conversation hops."""
    required = _REQUIRED[gate.require]
    hops = not context.spec.is_local and context.spec.conversations.pin is None
    return (*required, Axis.HOP) if gate.require == "full" and hops else required
