"""Hooks for httpx: whoever calls an agent sends back the pin that its conversation was given."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

PINS_MAX = 100_000


def pin_hooks(
    *, header: str = "x-agent-version", thread_header: str = "x-thread-id"
) -> dict[str, list[Callable[[Any], None]]]:
    """Return `event_hooks` for an `httpx.Client`: pins are kept by the conversation's id, in this process.

    With the cookie as the pin no hook is needed: a client with a cookie jar for each conversation sends it back.

    Args:
        header: the pin (`conversations.pin.header`).
        thread_header: the header with the conversation's id.
    """
    pins: OrderedDict[str, str] = OrderedDict()
    lock = threading.Lock()

    def send_back(request: Any) -> None:
        thread = request.headers.get(thread_header)
        with lock:
            pin = pins.get(thread) if thread is not None else None
        if pin is not None:
            request.headers.setdefault(header, pin)

    def keep(response: Any) -> None:
        thread = response.request.headers.get(thread_header) or response.headers.get(thread_header)
        pin = response.headers.get(header)
        if thread is None or pin is None:
            return
        with lock:
            pins.setdefault(thread, pin)
            pins.move_to_end(thread)
            while len(pins) > PINS_MAX:
                pins.popitem(last=False)

    return {"request": [send_back], "response": [keep]}
