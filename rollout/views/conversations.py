"""Conversations for people: which version has how many, and which of them wait where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rollout.engine import messages
from rollout.model.status.conversations import Draining
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.model.units import FULL_BP


@dataclass(frozen=True, slots=True)
class ConversationsView:
    """The conversations of one version: what becomes of new ones, and of those that are open."""

    version: str
    role: str
    new: str
    open: str


def conversations(status: Status, now: datetime) -> tuple[ConversationsView, ...]:
    """Return the versions that have conversations, the stable one first."""
    return tuple(_versions(status, now))


def census(status: Status) -> str:
    """Say what the last census counted; nothing where none is taken."""
    state = status.latest.state
    counted = state.census if state else None
    if state is None or counted is None:
        return ""
    if counted.problem:
        return counted.problem
    waiting = ", ".join(f"{many} at {where}" for where, many in sorted(counted.waiting.items()))
    parts = [
        f"{messages.conversations(counted.threads)} counted{'' if counted.complete else ', not all'}",
        *([f"waiting: {waiting}"] if waiting else []),
        *([f"{counted.backward} the candidate cannot read"] if counted.backward else []),
        *([f"{counted.forward} stable cannot read"] if counted.forward else []),
    ]
    if state.no_return_at is not None:
        parts.append(f"past the point of no return since {state.no_return_at:%H:%M:%S}Z")
    return "; ".join(parts)


def _versions(status: Status, now: datetime) -> Iterator[ConversationsView]:
    pinned = status.pins.versions if status.pins else ()
    stays = "stay on it" if pinned else "go by the weight"
    shifts = status.is_active and status.phase is not Phase.DRAINING  # then the candidate is the stable version
    if status.stable_version:
        share = messages.weight(FULL_BP - status.latest.traffic.wanted_bp) if shifts else "100 %"
        yield ConversationsView(status.stable_version, "stable", share, stays if shifts else "stay on it")
    candidate = status.candidate_version
    if shifts and candidate and candidate != status.stable_version:
        open_ones = "stay on it" if candidate in pinned else "go by the weight"
        yield ConversationsView(candidate, "candidate", messages.weight(status.latest.traffic.wanted_bp), open_ones)
    for version, drain in status.draining.items():
        yield ConversationsView(version, "draining", "none", draining(drain, now))


def draining(drain: Draining, now: datetime) -> str:
    """Say what is left of a version that gets no new conversations."""
    left_s = (drain.deadline - now).total_seconds() if drain.deadline else 0.0
    until = f", {drain.then} in {messages.span(left_s)}" if left_s > 0 and not (drain.done or drain.late) else ""
    return f"{draining_text(drain)}{until}"


def draining_text(drain: Draining) -> str:
    """Say the same without the time that is left."""
    if drain.done:
        return "over; what refers to it is taken out"
    counted = messages.open_conversations(drain.open, drain.problem)
    return f"{counted}, kept after its deadline" if drain.late else f"{counted} open"
