"""Chats, mail and a hundred other services, through Apprise: the extra `notify`, in a process of its own.

An address decides what its plugin does: which hosts it asks, for how long, and which files it reads. So a message is
sent by a child that can be ended, has little memory, follows no redirect and reaches only what it may (`confined`). The
address goes to it by its input; of what it says only one word comes back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from rollout.adapters.notifications.confined import Answer
from rollout.adapters.notifications.telling import Telling
from rollout.errors import PageUnavailable
from rollout.model.notice_kinds import NoticeKind

TIMEOUT_S = 30.0
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PYTHONPATH")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")

TYPES: dict[NoticeKind, str] = {
    "started": "info",
    "stepPassed": "info",
    "paused": "warning",
    "needsApproval": "warning",
    "resumed": "info",
    "rollingBack": "failure",
    "rolledBack": "failure",
    "promoted": "success",
    "drift": "warning",
    "stuck": "failure",
}


def send(address: str, telling: Telling, hosts: tuple[str, ...] | None = None, *, tenant: bool = False) -> None:
    """Tell a service. Raises PageUnavailable where it does not take it; nothing of the address is in the message.

    Args:
        hosts: those that may be asked; None for all.
        tenant: whether the address is somebody else's: then it reads no file of this machine.
    """
    asked = {
        "address": address,
        "title": telling.title,
        "body": telling.text,
        "type": TYPES[telling.kind],
        "hosts": hosts,
        "tenant": tenant,
    }
    names = _PASSED_ON if hosts is not None else (*_PASSED_ON, *_PROXIES)  # a proxy would reach any host
    environment = {name: os.environ[name] for name in names if name in os.environ}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "rollout.adapters.notifications.confined"],
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PageUnavailable(f"{scheme_of(address)} did not answer within {TIMEOUT_S:g} s") from None
    except OSError as error:
        raise PageUnavailable(f"no process for Apprise could be started ({type(error).__name__})") from None
    _judge(ended.stdout.decode("utf-8", "replace").strip(), address)


def _judge(answer: str, address: str) -> None:
    """Raise PageUnavailable for anything but a message that was taken."""
    scheme = scheme_of(address)
    match answer:
        case Answer.TAKEN:
            return
        case Answer.NOT_INSTALLED:
            needed = "a chat or mailbox needs Apprise, which is not installed: pip install 'agent-rollout[notify]'"
            raise PageUnavailable(needed)
        case Answer.UNKNOWN:
            remedy = "see https://github.com/caronc/apprise/wiki for how it is written"
            raise PageUnavailable(f"{scheme} is no address that Apprise knows: {remedy}")
        case Answer.BARRED:
            message = f"the operator has not listed the host that {scheme} asks, so it is not told"
            raise PageUnavailable(f"{message}: rollout daemon --allow-host HOST")
        case _:
            message = f"{scheme} did not take the message"
            raise PageUnavailable(f"{message}: is its address still valid, and can it be reached?")


def scheme_of(address: str) -> str:
    """Return which service an address is of: all of it that may be shown."""
    scheme = address.partition("://")[0]
    return scheme if scheme.isalnum() and len(scheme) <= 20 and "://" in address else "the service"
