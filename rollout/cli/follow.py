"""Following a rollout that somebody else carries out, through the records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rollout.errors import RecordsUnavailable

if TYPE_CHECKING:
    from rollout.cli.watch import Watcher
    from rollout.engine.plan import Plan
    from rollout.model.status import Status
    from rollout.records.sqlite import Store

POLL_S = 0.2
GONE_AFTER_S = 10.0
"""Nobody holds the rollout for this long: whoever carried it out is gone."""


def follow(
    store: Store, name: str, last: int, watching: Watcher, done: Callable[[Plan], bool], *, attended: bool = True
) -> Status | None:
    """Show every change after the decision numbered `last` until `done`; None if Ctrl-C stopped it first.

    attended: whether to give up once nobody carries the rollout out. Raises RecordsUnavailable then.
    """
    from rollout.engine.plan import Plan

    seen_at = time.monotonic()
    try:
        while True:
            row = store.get(name)
            if row is None:
                raise RecordsUnavailable(f"{name} is not recorded any more")
            news = store.decisions_after(name, last)
            last = news[-1][0] if news else last
            plan = Plan(row.rollout.status, (), tuple(decision for _, decision in news), POLL_S)
            watching.show(plan)
            if done(plan):
                return row.rollout.status
            if row.holder:
                seen_at = time.monotonic()
            elif attended and time.monotonic() - seen_at > GONE_AFTER_S:
                raise RecordsUnavailable(f"nobody carries {name} out any more: rollout start goes on from here")
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        return None
