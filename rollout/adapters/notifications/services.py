"""Chats, mail and a hundred other services, through Apprise: the extra `notify`. It is imported when first needed."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from rollout.adapters.notifications.telling import Telling
from rollout.errors import PageUnavailable
from rollout.model.notice_kinds import NoticeKind

TYPES: dict[NoticeKind, str] = {
    "started": "info",
    "stepPassed": "info",
    "paused": "warning",
    "needsApproval": "warning",
    "rollingBack": "failure",
    "rolledBack": "failure",
    "promoted": "success",
    "drift": "warning",
    "stuck": "failure",
}


def send(address: str, telling: Telling) -> None:
    """Tell a service. Raises PageUnavailable where it does not take it; what the library says may hold the address."""
    service = _service(address)
    try:
        taken = service.notify(title=telling.title, body=telling.text, notify_type=TYPES[telling.kind])
    except Exception as error:  # noqa: BLE001  one of a hundred plugins may fail in any way
        raise PageUnavailable(f"{scheme_of(address)} could not be told ({type(error).__name__})") from None
    if not taken:
        message = f"{scheme_of(address)} did not take the message"
        raise PageUnavailable(f"{message}: is its address still valid, and can it be reached?")


def scheme_of(address: str) -> str:
    """Return which service an address is of: all of it that may be shown."""
    scheme = address.partition("://")[0]
    return scheme if scheme.isalnum() and len(scheme) <= 20 and "://" in address else "the service"


def _service(address: str) -> Any:
    try:
        apprise = importlib.import_module("apprise")
    except ImportError:
        message = "a chat or mailbox needs Apprise, which is not installed: pip install 'agent-rollout[notify]'"
        raise PageUnavailable(message) from None
    logging.getLogger("apprise").disabled = True  # it logs addresses, and those are secrets
    service = apprise.Apprise.instantiate(address)
    if service is None:
        remedy = "see https://github.com/caronc/apprise/wiki for how it is written"
        raise PageUnavailable(f"{scheme_of(address)} is no address that Apprise knows: {remedy}")
    return service
