"""Time without samples: what happened then is not known, so nothing is made of it."""

from __future__ import annotations

from rollout.model.api.policy import Evidence

GAP_SAMPLES = 3

GAP_MIN_S = 20.0
"""No sample for so many intervals, and so long, is a gap: the controller, the API or the source was away."""


def is_gap(settings: Evidence, unseen_s: float) -> bool:
    """Whether it is too long since the last sample to take what it says for what is."""
    every_s = settings.sample_every_s
    return unseen_s > every_s + max(GAP_SAMPLES * every_s, GAP_MIN_S)
