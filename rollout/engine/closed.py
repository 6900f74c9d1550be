"""What a gate answers: why it is closed, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.engine.draft import Draft
from rollout.model.status import Reason


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a gate is closed."""

    reason: Reason
    message: str


Gate = Callable[[Draft], Closed | None]


def first_closed(gates: tuple[Gate, ...], draft: Draft) -> Closed | None:
    """Return the first closed gate's answer."""
    for gate in gates:
        if (closed := gate(draft)) is not None:
            return closed
    return None
