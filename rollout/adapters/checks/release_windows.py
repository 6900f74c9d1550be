"""Release windows and freezes: cron lines in a time zone, by APScheduler's trigger.

A window begins at each time its cron line names, by the clock on the wall in its time zone, and lasts for an elapsed
time. A time that the clocks skip (02:30 in spring) counts as if they had not been changed yet; one that comes twice in
autumn begins a window twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from rollout.engine.facts import Calendar
from rollout.model.api.gates import Gates, Window

_BEGINNINGS_MAX = 200
"""Windows that overlap are followed this far to say when they end."""

_TICK = timedelta(microseconds=1)


def reading(gates: Gates, now: datetime) -> Calendar:
    """Return whether traffic may move at `now` (aware), and if not, until when and why."""
    for freeze in gates.freezes:
        if (end := _end(freeze, now)) is not None:
            named = f" ({freeze.name})" if freeze.name else ""
            return Calendar(is_open=False, message=f"a freeze{named} lasts until {_shown(end, freeze)}")
    if not gates.windows or any(_end(window, now) is not None for window in gates.windows):
        return Calendar()
    openings = [(begin, window) for window in gates.windows if (begin := _next(window, now)) is not None]
    if not openings:
        return Calendar(is_open=False, message="no release window opens again")
    begin, window = min(openings, key=lambda opening: opening[0])
    named = f" ({window.name})" if window.name else ""
    return Calendar(is_open=False, message=f"the next one{named} opens {_shown(begin, window)}")


def _end(window: Window, now: datetime) -> datetime | None:
    """Return when the window that is open at `now` ends; None if none is."""
    lasts = timedelta(seconds=window.for_s)
    end: datetime | None = None
    begin = _next(window, now - lasts + _TICK)
    for _ in range(_BEGINNINGS_MAX):
        if begin is None or begin > (now if end is None else end):
            break
        end = begin + lasts
        begin = _next(window, begin + _TICK)
    return end


def _next(window: Window, moment: datetime) -> datetime | None:
    """Return the first beginning at or after a moment, in UTC: local times must not be added to across a change."""
    next_start = _trigger(window.cron, window.timezone).get_next_fire_time(None, moment)
    return None if next_start is None else next_start.astimezone(UTC)


@lru_cache(maxsize=256)
def _trigger(cron: str, timezone: str) -> CronTrigger:
    return CronTrigger.from_crontab(cron.lower(), timezone=ZoneInfo(timezone))


def _shown(moment: datetime, window: Window) -> str:
    return f"{moment.astimezone(ZoneInfo(window.timezone)):%a %Y-%m-%d %H:%M} {window.timezone}"
