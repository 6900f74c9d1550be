"""How a pin is told from a request: a header, a cookie, or a thread id that begins with the version. Pure.

Each kind of router writes the same match in words of its own: an exact value, or a regular expression over the whole
value. Values are those of versions that are alive; a pin that names another one matches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rollout.model.api.conversations import THREAD_MARK, Conversations


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """One header of a request.

    Attributes:
        value: what it must be, whole.
        is_regex: whether `value` is a regular expression (RE2), over the whole value.
    """

    name: str
    value: str
    is_regex: bool = False


def pin_match(conversations: Conversations, version: str) -> HeaderMatch:
    """Return what requests have that are pinned to a version."""
    pin = conversations.pin
    assert pin is not None, "a route has pins only where they are declared"
    if pin.header is not None:
        return HeaderMatch(pin.header.lower(), version)
    if pin.cookie is not None:
        name, value = re.escape(pin.cookie), re.escape(version)
        return HeaderMatch("cookie", f"(.*; ?)?{name}={value}(;.*)?", is_regex=True)
    assert pin.thread_id is not None, "documents were checked before"
    return HeaderMatch(pin.thread_id.header.lower(), f"{re.escape(version)}{THREAD_MARK}.*", is_regex=True)


def started_match(conversations: Conversations) -> HeaderMatch:
    """Return what requests of started conversations have, also those without a pin: the conversation's id."""
    return HeaderMatch(conversations.pin_by.header.lower(), ".+", is_regex=True)


def response_header(conversations: Conversations, version: str) -> tuple[str, str] | None:
    """Return the response header by which a router gives a conversation its pin; None where only the agent can."""
    pin = conversations.pin
    if pin is None or pin.thread_id is not None:
        return None
    if pin.header is not None:
        return pin.header.lower(), version
    return "set-cookie", f"{pin.cookie}={version}; Path=/; HttpOnly; SameSite=Lax"
