"""Timers that only enqueue. APScheduler's defaults would drop a job that is a second late, and with it a rollout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler


class SchedulerTimers:
    """Wakes a key after a delay by putting it into a queue; a newer wake replaces an older one."""

    def __init__(self, enqueue: Callable[[str], None]) -> None:
        self._enqueue = enqueue
        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler = BackgroundScheduler(timezone=UTC, job_defaults=defaults)
        self._scheduler.start()

    def after(self, key: str, delay_s: float) -> None:
        """Put `key` into the queue once, `delay_s` seconds from now."""
        when = datetime.now(UTC) + timedelta(seconds=delay_s)
        self._scheduler.add_job(self._enqueue, "date", run_date=when, args=[key], id=key, replace_existing=True)

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
