"""Following a rollout that somebody else carries out, through the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rollout.cli.say import say
from rollout.errors import Forbidden, RolloutError, StoreUnavailable, Unavailable

if TYPE_CHECKING:
    from rollout.adapters.storage.base import RolloutStore, Row
    from rollout.engine.planned import Plan
    from rollout.model.rollout import Rollout
    from rollout.model.status.status import Status

SURE_AFTER = 2
"""So often in a row the API must say that something is not there, or not allowed, before it is believed."""

GONE_AFTER_S = 60.0
"""Nobody holds the rollout for this long: whoever carried it out is gone, and does not try again."""


class TimedOut(Exception):  # noqa: N818
    """It was not over in time."""


class RolloutDeleted(RolloutError):  # noqa: N818
    """It was deleted, or another one has its name."""

    exit_code = 4


class Follower:
    """Reads one rollout again and again; `load` gives it as it was last read."""

    def __init__(self, store: RolloutStore, row: Row, last: int | None = None) -> None:
        """Follow from the decision numbered `last` on, else from now on."""
        self._store = store
        self._rollout = row.rollout
        self._name = row.rollout.metadata.name
        self._last = last
        self._missing = self._barred = 0
        self._uid = row.uid
        self._away = False
        self.seen = row.seen
        self.problem = ""
        self.holder = row.holder

    def load(self) -> Rollout:
        return self._rollout

    def until(
        self,
        done: Callable[[Plan], bool],
        show: Callable[[Plan], None],
        *,
        attended: bool = False,
        timeout_s: float | None = None,
    ) -> Status | None:
        """Show every change until `done`; None if Ctrl-C stopped it first.

        Args:
            attended: whether to give up, with StoreUnavailable, once nobody carries the rollout out.
            timeout_s: after so long `TimedOut` is raised; until then a store that cannot be read is tried again.
        """
        from rollout.engine.planned import Plan

        began = held_at = time.monotonic()
        try:
            while True:
                try:
                    plan, holder = self._read()
                except Unavailable as error:
                    self._barred = self._barred + 1 if isinstance(error, Forbidden) else 0
                    if timeout_s is None or self._barred >= SURE_AFTER:
                        raise
                    self._tell_away(str(error))
                    show(Plan(self._rollout.status))
                else:
                    self._away, self._barred = False, 0
                    show(plan)
                    if done(plan):
                        return plan.status
                    held_at = time.monotonic() if holder else held_at
                if attended and time.monotonic() - held_at > GONE_AFTER_S:
                    again = f"rollout start {self._rollout.spec.version}"
                    raise StoreUnavailable(f"no controller runs {self._name} any more. To continue: {again}")
                if timeout_s is not None and time.monotonic() - began > timeout_s:
                    raise TimedOut
                time.sleep(self._store.poll_s)
        except KeyboardInterrupt:
            return None

    def _tell_away(self, why: str) -> None:
        """Say once that nothing can be read for the moment."""
        if not self._away:
            say(f"{why}; it is tried again until the timeout", err=True)
        self._away = True

    def _read(self) -> tuple[Plan, str]:
        """Return what is new, and who holds the rollout."""
        from rollout.engine.planned import Plan

        row = self._store.get(self._name)
        if row is None or row.uid != self._uid:
            self._missing += 1
            if self._missing < SURE_AFTER:
                raise StoreUnavailable(f"{self._name} is not found")
            raise RolloutDeleted(f"{self._name} was deleted{'' if row is None else ', and created anew'}")
        self._missing = 0
        if self._last is None:
            self._last = self._store.last_decision(self._name)
        news = self._store.decisions_after(self._name, self._last)
        self._last = news[-1][0] if news else self._last
        self._rollout, self.seen, self.holder = row.rollout, row.seen, row.holder
        if row.problem and row.problem != self.problem:
            say(f"{self._name} cannot go on: {row.problem}", err=True)
        self.problem = row.problem
        return Plan(row.rollout.status, decisions=tuple(decision for _, decision in news)), row.holder
