"""The last look before "done": a request as a user sends it, through the listener that users will use."""

from __future__ import annotations

import time

from rollout.adapters.http import Pages
from rollout.adapters.routers.listeners import url_of
from rollout.errors import PageUnavailable

TIMEOUT_S = 5.0
"""So long an Envoy has to learn of its endpoints, and an agent to answer."""

_POLL_S = 0.1


def unreached(http: Pages, listen: str, path: str, version: str, endpoints: tuple[str, ...]) -> str:
    """Ask through the listener until an agent has answered; return what is wrong if none has in time.

    Args:
        path: of a page that may be asked for without consequences.
        version: the one that has the users.
        endpoints: its addresses.
    """
    url, deadline = url_of(listen), time.monotonic() + TIMEOUT_S
    while True:
        try:
            answer = http.ask(url + path, TIMEOUT_S)
        except PageUnavailable as error:
            problem = str(error)
        else:
            if answer.passed_on:
                return ""
            problem = f"{url} answers {answer.status}, from Envoy itself: it does not reach {version}"
        if time.monotonic() > deadline:
            where = ", ".join(endpoints) or "its addresses"
            return f"users get no answer: {problem}. Check that {where} can be reached from this machine"
        time.sleep(_POLL_S)
