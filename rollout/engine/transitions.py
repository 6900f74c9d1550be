"""The phases and what leads from one to another: every pair of phase and event, in one table.

`STAY` is an answer too: the pause goes on for another reason. `NEVER` marks a pair that the engine must not
bring about; meeting one is a bug, and `follow` says so instead of guessing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rollout.model.status.vocabulary import Phase


class Event(StrEnum):
    """What can happen to a rollout."""

    START = "a new version is wanted"
    CHECKED = "every preflight check passed"
    REFUSED = "preflight did not pass in time"
    STABLE_PASSED = "stable is down, and the candidate is promoted past it"
    WEIGHT_EFFECTIVE = "the weight is effective"
    STEP_PASSED = "a step passed"
    LAST_STEP_PASSED = "the last step passed with evidence"
    BAKED = "the bake passed"
    DRAINED = "the old version has no request left"
    HOLD = "a human, or the policy, asks to wait for a human"
    RESUME = "the wait is over"
    FREEZE = "worse, but nothing may move by itself"
    ROLL_BACK = "back to stable"
    RESTORED = "all traffic is back on stable"
    SUPERSEDE = "another version is wanted in mid-flight"
    RETRY = "try the same version again"
    UNDO = "back to the version before, which is still ready"


NEVER: Final = "never"
STAY: Final = "stay"
BACK: Final = "back"
"""Where a pause began."""

_S, _P, _F, _O, _B, _D = (
    Phase.STABLE, Phase.PREFLIGHT, Phase.SHIFTING, Phase.OBSERVING, Phase.BAKING, Phase.DRAINING,
)  # fmt: skip
_RB, _RD, _PA, _FR, _SU = (
    Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.PAUSED, Phase.FROZEN, Phase.SUPERSEDING,
)  # fmt: skip

_PHASES = (_S, _P, _F, _O, _B, _D, _RB, _RD, _PA, _FR, _SU)

# fmt: off
_ROWS: dict[Event, tuple[Phase | str, ...]] = {
    #                      Stable Prefl. Shift. Observ. Baking Drain. RollBk RolledB Paused Frozen Supersed.
    Event.START:           (_P,    NEVER, NEVER, NEVER,  NEVER, _P,    NEVER, _P,     NEVER, NEVER, NEVER),
    Event.CHECKED:         (NEVER, _F,    NEVER, NEVER,  NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.REFUSED:         (NEVER, _RD,   NEVER, NEVER,  NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.STABLE_PASSED:   (NEVER, _B,    NEVER, NEVER,  NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.WEIGHT_EFFECTIVE:(NEVER, NEVER, _O,    NEVER,  NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.STEP_PASSED:     (NEVER, NEVER, NEVER, _F,     NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.LAST_STEP_PASSED:(NEVER, NEVER, NEVER, _B,     NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.BAKED:           (NEVER, NEVER, NEVER, NEVER,  _D,    NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.DRAINED:         (NEVER, NEVER, NEVER, NEVER,  NEVER, _S,    NEVER, NEVER,  NEVER, NEVER, NEVER),
    Event.HOLD:            (NEVER, _PA,   _PA,   _PA,    _PA,   NEVER, NEVER, NEVER,  STAY,  NEVER, NEVER),
    Event.RESUME:          (NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER, NEVER,  BACK,  NEVER, NEVER),
    Event.FREEZE:          (NEVER, NEVER, _FR,   _FR,    _FR,   NEVER, NEVER, NEVER,  _FR,   NEVER, NEVER),
    Event.ROLL_BACK:       (NEVER, _RB,   _RB,   _RB,    _RB,   NEVER, NEVER, NEVER,  _RB,   _RB,   _RB),
    Event.RESTORED:        (NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, _RD,   NEVER,  NEVER, NEVER, _S),
    Event.SUPERSEDE:       (NEVER, _SU,   _SU,   _SU,    _SU,   NEVER, NEVER, NEVER,  _SU,   _SU,   NEVER),
    Event.RETRY:           (NEVER, NEVER, NEVER, NEVER,  NEVER, NEVER, NEVER, _P,     NEVER, _F,    NEVER),
    Event.UNDO:            (_RB,   NEVER, NEVER, NEVER,  NEVER, _RB,   NEVER, NEVER,  NEVER, NEVER, NEVER),
}
# fmt: on

TABLE: Final[dict[tuple[Phase, Event], Phase | str]] = {
    (phase, event): target for event, row in _ROWS.items() for phase, target in zip(_PHASES, row, strict=True)
}


OBSERVED = (Phase.PREFLIGHT, Phase.SHIFTING, Phase.OBSERVING, Phase.BAKING, Phase.PAUSED, Phase.FROZEN)
"""Phases in which counters are read. Judging never stops while a gate, or a human, holds."""


def allows(phase: Phase, event: Event) -> bool:
    """Whether the event may happen in this phase at all."""
    return TABLE[phase, event] != NEVER


def follow(phase: Phase, event: Event, paused_from: Phase | None = None) -> Phase:
    """Return the phase after an event. Raises ValueError for a pair that must never be."""
    target = TABLE[phase, event]
    if target == NEVER:
        raise ValueError(f"{event.name} in {phase}: no such transition")
    if target == STAY:
        return phase
    if target == BACK:
        return paused_from or Phase.OBSERVING
    return Phase(target)
