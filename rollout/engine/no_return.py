"""The point of no return: since when a rollback does harm, and to how many."""

from __future__ import annotations

from rollout.engine import words
from rollout.engine.draft import Draft
from rollout.engine.stategate import gate_of
from rollout.model.state import Axis, Compatibility, Severity


def note_no_return(draft: Draft, state: Compatibility) -> None:
    """Notice that the candidate has written what stable cannot read: from then on a rollback does harm."""
    status = draft.status
    served = status.traffic.wanted_bp > 0 and status.traffic.applied_at is not None
    looked = state.looked
    seen = looked.forward if looked is not None and not looked.problem else 0
    began = status.started_at
    fresh = looked is not None and began is not None and looked.at >= began
    if fresh and seen and (served or state.no_return_at is not None):
        changed = state.model_copy(update={"no_return_at": state.no_return_at or draft.now, "affected": seen})
    elif served and draft.spec.state_store is None and _is_one_way(state):
        changed = state.model_copy(update={"no_return_at": state.no_return_at or draft.now})
    else:
        return
    if changed != state:
        draft.update(state=changed)
        if state.no_return_at is None:
            draft.record("check", message=no_return(draft))


def _is_one_way(state: Compatibility) -> bool:
    """Whether stable is known not to read what the candidate writes, waived or not."""
    found = state.verdict.findings if state.verdict else ()
    return any(each.direction is Axis.FORWARD and each.severity is Severity.BREAK for each in found)


def no_return(draft: Draft) -> str:
    """Say that, and for how many conversations, a rollback would do harm; an empty text where it would not."""
    state, status = draft.status.state, draft.status
    if state is None or state.no_return_at is None:
        return ""
    many = "nobody can count how many" if state.affected is None else words.conversations(state.affected)
    return f"point of no return: {status.stable_version} cannot read what {status.candidate_version} wrote ({many})"


def rollback_harms(draft: Draft) -> bool:
    """Whether going back by itself is barred: somebody would lose their conversation."""
    gate = gate_of(draft)
    past = draft.status.state is not None and draft.status.state.no_return_at is not None
    return past and gate is not None and gate.past_no_return == "freeze"
