"""A series by its labels, and what they tell of it: read once, for the same ones come with every sample."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rollout.adapters.metrics.ownership import LABELS, hints_of

SERIES_KEPT = 20_000
"""So many are known at a time."""

_PROCESS = ("job", "namespace", "pod", "instance")
"""What tells one process from another: its counters begin anew together."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series.

    Attributes:
        name: a short one, its process first: whole label sets would not fit into a status.
        process: the labels that may tell whose it is, each as it is or None.
        hints: what it says of whose it is.
    """

    labels: Mapping[str, str]
    name: str
    process: tuple[str | None, ...]
    hints: tuple[str, ...]


@lru_cache(maxsize=SERIES_KEPT)
def series_of(items: tuple[tuple[str, str], ...]) -> Series:
    """Return the series that has these labels."""
    labels = dict(items)
    process = "\0".join(labels.get(label, "") for label in _PROCESS)
    name = f"{_digest(process)}|{_digest(repr(sorted(items)))}"
    return Series(labels, name, tuple(map(labels.get, LABELS)), hints_of(labels))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
