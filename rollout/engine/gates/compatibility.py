"""The state gate: no traffic before it is known that conversations survive the release, and its rollback."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.contracts.report import brief, reason, remedy
from rollout.engine.context import PlanContext
from rollout.engine.conversations.pins import is_one_way
from rollout.engine.gates.gate import Blocked
from rollout.engine.state.live import settle
from rollout.engine.state.one_way import as_pinned
from rollout.engine.state.required import axes_of, gate_of
from rollout.model.agent_state import Axis, CompatibilityVerdict, Severity
from rollout.model.status.vocabulary import Reason


def state_is_compatible(context: PlanContext) -> Blocked | None:
    """Let no traffic move before the state of both versions is known to go together, as far as the policy asks."""
    gate = gate_of(context)
    if gate is None:
        return None
    state = context.release.state
    if state is None or state.verdict is None:
        return Blocked(Reason.CHECKING, "reading the state contracts of both versions")
    if context.spec.state_store is not None and state.census is None:
        return Blocked(Reason.CHECKING, "counting live conversations")
    census, axes = state.census, axes_of(context, gate)
    settled = settle(state, watched=context.spec.state_store is not None)
    one_way = is_one_way(context)
    if one_way:
        settled = as_pinned(settled)
    bad = [axis for axis in axes if settled.of(axis) in (Severity.BREAK, Severity.RISK)]
    if bad:
        return Blocked(Reason.STATE_INCOMPATIBLE, _incompatibility(context, settled, bad))
    unknown = [axis for axis in axes if settled.of(axis) is Severity.UNKNOWN]
    trouble = "" if one_way else state.problem or (census.problem if census else "")
    if gate.on_unknown == "block" and (unknown or trouble) and not context.release.stable_passed_by:
        cause = trouble or brief(settled, unknown)
        return Blocked(Reason.STATE_UNKNOWN, f"state compatibility is unknown: {cause}")
    return None


def _incompatibility(context: PlanContext, settled: CompatibilityVerdict, axes: Iterable[Axis]) -> str:
    status = context.status
    old, new = status.stable_version, status.candidate_version
    meaning = {
        Axis.BACKWARD: f"{new} cannot safely go on with conversations of {old}",
        Axis.FORWARD: f"{old} could not go on with conversations of {new} after a rollback",
        Axis.HOP: f"a conversation that goes to {new} and back would lose something",
    }
    axes = list(axes)
    problems = "; ".join(f"{meaning[axis]}: {reason(settled, axis)}" for axis in axes)
    return f"{problems}. To fix it: {remedy(settled, axes[0])}"
