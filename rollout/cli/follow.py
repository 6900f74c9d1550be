"""Following a rollout that somebody else carries out, through the records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rollout.errors import RecordsUnavailable

if TYPE_CHECKING:
    from rollout.engine.plan import Plan
    from rollout.model.status import Status
    from rollout.records.sqlite import Store

POLL_S = 0.2
GONE_AFTER_S = 60.0
"""Nobody holds the rollout for this long: whoever carried it out is gone, and does not try again."""


class TimedOut(Exception):  # noqa: N818
    """It was not over in time."""


def follow(
    store: Store,
    name: str,
    last: int,
    show: Callable[[Plan], None],
    done: Callable[[Plan], bool],
    *,
    attended: bool = False,
    timeout_s: float | None = None,
) -> Status | None:
    """Show every change after the decision numbered `last` until `done`; None if Ctrl-C stopped it first.

    attended: whether to give up, with RecordsUnavailable, once nobody carries the rollout out. timeout_s: after so long
    `TimedOut` is raised; until then records that cannot be read are tried again.
    """
    from rollout.engine.plan import Plan

    began = seen_at = time.monotonic()
    try:
        while True:
            try:
                row, news = store.get(name), store.decisions_after(name, last)
            except RecordsUnavailable:
                if timeout_s is None:
                    raise
                row, news = None, []
            if row is not None:
                last = news[-1][0] if news else last
                plan = Plan(row.rollout.status, (), tuple(decision for _, decision in news), POLL_S)
                show(plan)
                if done(plan):
                    return row.rollout.status
                seen_at = time.monotonic() if row.holder else seen_at
            elif timeout_s is None:
                raise RecordsUnavailable(f"{name} is not recorded any more")
            if attended and time.monotonic() - seen_at > GONE_AFTER_S:
                raise RecordsUnavailable(f"nobody carries {name} out any more: rollout start goes on from here")
            if timeout_s is not None and time.monotonic() - began > timeout_s:
                raise TimedOut
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        return None
