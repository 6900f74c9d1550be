"""When the next sample is due: by the policy's interval, and so that a step lasts as long as it declares.

The evidence is valid whenever it is looked at, so a sample may come earlier than the interval says: one at the end of
the warm-up, from which the window counts, and as many within a step as it needs, the last of them at its end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from rollout.model.api.policy import Evidence
from rollout.model.status.release import Release

SOONEST_S = 1.0
"""So much later at least, where the policy's interval is longer: a source has nothing new all the time."""


def next_sample(release: Release, settings: Evidence, held_s: float, needed: int, now: datetime) -> datetime:
    """Return when the next sample is due, after one that was taken now.

    Args:
        held_s: how long the weight is held, after the warm-up.
        needed: how many samples the window still needs.
    """
    every_s, began = settings.sample_every_s, release.window_since
    due_s = every_s
    if began is not None and now < began:
        due_s = min(every_s, (began - now).total_seconds())
    elif began is not None:
        left_s = held_s + release.gap_s - (now - began).total_seconds()
        if left_s > 0:
            spaces = max(1, needed, ceil(left_s / every_s))
            due_s = max(min(every_s, SOONEST_S), left_s / spaces)
    return now + timedelta(seconds=due_s)
