"""How often a long-lived process looks for cycles of objects that nobody refers to any more."""

from __future__ import annotations

import gc

YOUNG = 20_000
"""Python looks once 700 objects were made. A turn makes thousands, nearly all of which go by themselves: looking took
a tenth of the CPU of a sample (`make bench-controller`)."""

OLDER = 20
OLDEST = 50


def collect_seldom() -> None:
    """Look less often, and never again at what there is by now: code and models stay as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)
