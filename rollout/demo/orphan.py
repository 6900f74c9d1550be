"""A child of the demo ends with it, however the demo ended."""

from __future__ import annotations

import os
import time


def end_with_parent() -> None:
    """End this process as soon as its parent is gone. Runs in a thread of its own."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)
