"""CloudEvents to a program, in structured mode, signed as Standard Webhooks 1.0 has it.

The signature is HMAC-SHA256 over ``id.timestamp.body``: whoever has the key can tell that an event is ours, whole, and
not of long ago. A key is base64, with ``whsec_`` before it or without, as their libraries read it.

Sources: https://github.com/cloudevents/spec (1.0.2), https://github.com/standard-webhooks/standard-webhooks
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime

from rollout.adapters.http import Services
from rollout.adapters.notifications.telling import Telling
from rollout.errors import PageUnavailable

TYPE = "dev.rollout.release"
TIMEOUT_S = 10.0
ANSWER_MAX_BYTES = 64 * 1024
MAKE_KEY = "make one with: echo whsec_$(openssl rand -base64 32)"
KEY_MIN = 16
"""A shorter key can be found by trying."""


def send(services: Services, url: str, key: str, telling: Telling, now: datetime) -> None:
    """Post one event. Raises PageUnavailable where it is not taken."""
    body = json.dumps(event(telling), separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/cloudevents+json", **signed(telling.id, body, key, now)}
    answer = services.ask("POST", url, body, headers, TIMEOUT_S, ANSWER_MAX_BYTES)
    if not 200 <= answer.status < 300:
        raise PageUnavailable(f"the webhook answered {answer.status}", answer.status)


def event(telling: Telling) -> dict[str, object]:
    """Return a notice as a CloudEvent."""
    return {
        "specversion": "1.0",
        "id": telling.id,
        "source": telling.source,
        "type": f"{TYPE}.{telling.kind}",
        "subject": telling.candidate or telling.rollout,
        "time": telling.at.isoformat(),
        "datacontenttype": "application/json",
        "data": telling.data(),
    }


def signed(event_id: str, body: bytes, key: str, now: datetime) -> dict[str, str]:
    """Return the headers that prove an event. Raises PageUnavailable for a key that proves nothing."""
    secret, moment = _key(key), str(int(now.timestamp()))
    proof = hmac.new(secret, f"{event_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    signature = base64.b64encode(proof).decode()
    return {"webhook-id": event_id, "webhook-timestamp": moment, "webhook-signature": f"v1,{signature}"}


def _key(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):  # the cause would quote it
        raise PageUnavailable(f"the key of the webhook is not base64: {MAKE_KEY}") from None
    if len(secret) < KEY_MIN:
        raise PageUnavailable(f"the key of the webhook has fewer than {KEY_MIN} bytes: {MAKE_KEY}")
    return secret
