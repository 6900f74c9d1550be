"""Following a rollout that somebody else carries out, through the records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rollout.errors import RecordsUnavailable

if TYPE_CHECKING:
    from rollout.engine.plan import Plan
    from rollout.model.rollout import Rollout
    from rollout.model.status import Status
    from rollout.records.sqlite import Row, Store

POLL_S = 0.2
GONE_AFTER_S = 60.0
"""Nobody holds the rollout for this long: whoever carried it out is gone, and does not try again."""


class TimedOut(Exception):  # noqa: N818
    """It was not over in time."""


class Follower:
    """Reads one rollout again and again; `load` gives it as it was last read."""

    def __init__(self, store: Store, row: Row, last: int | None = None) -> None:
        """Follow from the decision numbered `last` on, else from now on."""
        self._store = store
        self._rollout = row.rollout
        self._name = row.rollout.metadata.name
        self._last = store.last_decision(self._name) if last is None else last

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

        attended: whether to give up, with RecordsUnavailable, once nobody carries the rollout out. timeout_s: after so
        long `TimedOut` is raised; until then records that cannot be read are tried again.
        """
        began = held_at = time.monotonic()
        try:
            while True:
                try:
                    plan, holder = self._read()
                except RecordsUnavailable:
                    if timeout_s is None:
                        raise
                else:
                    show(plan)
                    if done(plan):
                        return plan.status
                    held_at = time.monotonic() if holder else held_at
                if attended and time.monotonic() - held_at > GONE_AFTER_S:
                    message = f"nobody carries {self._name} out any more: rollout start goes on from here"
                    raise RecordsUnavailable(message)
                if timeout_s is not None and time.monotonic() - began > timeout_s:
                    raise TimedOut
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            return None

    def _read(self) -> tuple[Plan, str]:
        """Return what is new, and who holds the rollout."""
        from rollout.engine.plan import Plan

        row = self._store.get(self._name)
        if row is None:
            raise RecordsUnavailable(f"{self._name} is not recorded any more")
        news = self._store.decisions_after(self._name, self._last)
        self._last = news[-1][0] if news else self._last
        self._rollout = row.rollout
        return Plan(row.rollout.status, (), tuple(decision for _, decision in news), POLL_S), row.holder
