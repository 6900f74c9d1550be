"""Copies of what JSON can say: a fake server makes many, and copying by `copy` was half of its time."""

from __future__ import annotations

import copy
import marshal


def copied(value):
    """Return a deep copy."""
    try:
        return marshal.loads(marshal.dumps(value))
    except ValueError:  # a word of an enumeration, which a test has put in as it is
        return copy.deepcopy(value)
