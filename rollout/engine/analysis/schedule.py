"""When the next sample is due: by the policy's interval, and so that a step lasts as long as it declares.

The evidence is valid whenever it is looked at, so a sample may come earlier than the interval says: one at the end of
the warm-up, from which the window counts, and as many within a step as it needs, the last of them at its end. After one
that moved the evidence far the next comes at once. When to look is always decided by what was seen before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil, log

from rollout.model.api.policy import Evidence
from rollout.model.status.release import Release

SOONEST_S = 1.0
"""So much later at least, where the policy's interval is longer: a source has nothing new all the time."""


ALIGNED_SPACES = 3
"""With so many intervals left in a step, or more, one of them may be shorter or longer than the others."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_sample(
    release: Release, settings: Evidence, held_s: float, needed: int, now: datetime, *, is_shared: bool = False
) -> datetime:
    """Return when the next sample is due, after one that was taken now.

    Args:
        held_s: how long the weight is held, after the warm-up.
        needed: how many samples the window still needs.
        is_shared: whether the source answers for many rollouts at once: samples of one interval then fall together.
    """
    every_s, began = settings.sample_every_s, release.window_since
    due_s, spaces = every_s, ALIGNED_SPACES
    if began is not None and now < began:
        due_s = min(every_s, (began - now).total_seconds())
    elif began is not None:
        left_s = held_s + release.gap_s - (now - began).total_seconds()
        if left_s > 0:
            spaces = max(1, needed, ceil(left_s / every_s))
            due_s = max(min(every_s, SOONEST_S), left_s / spaces)
    due = now + timedelta(seconds=due_s)
    return _aligned(due, every_s) if is_shared and spaces >= ALIGNED_SPACES and due_s > every_s / 2 else due


def at_once(settings: Evidence, due: datetime, now: datetime) -> datetime:
    """Return when the next sample is due after one that moved the evidence far."""
    return min(due, now + timedelta(seconds=min(settings.sample_every_s, SOONEST_S)))


def moved_far(before_e: float, after_e: float, threshold_e: float) -> bool:
    """Whether a sample moved the evidence by more than half of what was missing, and not all the way."""
    if not 0 < before_e < after_e < threshold_e:
        return False
    return log(after_e / before_e) > log(threshold_e / before_e) / 2


def _aligned(due: datetime, every_s: float) -> datetime:
    """Return the multiple of the interval that is nearest: all who have it are due then."""
    return _EPOCH + timedelta(seconds=round((due - _EPOCH).total_seconds() / every_s) * every_s)
