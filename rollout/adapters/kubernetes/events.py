"""Events about an object, for `kubectl describe`: bounded in rate, and never a reason to fail."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import EVENT, Object, key_of, name_of, namespace_of
from rollout.errors import ClusterUnavailable
from rollout.redaction import SECRETS

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

CONTROLLER = "rollout.dev/controller"
NOTE_MAX = 1024
BURST = 25
EVERY_S = 30.0
"""One object may have 25 events at once, then one each 30 s; the full record has them all."""

OBJECTS_MAX = 5000


class Events:
    """Writes events.

    Args:
        instance: who we are.
        now: the wall clock.
        may_write: whether anything may be written of a Rollout, by its key.
    """

    def __init__(
        self, api: Api, instance: str, now: Callable[[], datetime], may_write: Callable[[str], bool] = lambda _: True
    ) -> None:
        self._api, self._instance, self._now, self._may_write = api, instance[:128], now, may_write
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[float, float]] = {}

    def tell(self, about: Object, kind: str, reason: str, action: str, note: str) -> None:
        """Write one event.

        Args:
            kind: Normal or Warning.
        """
        if not self._may_write(key_of(about)) or not self._has_token(key_of(about)):
            return
        at, note = self._now(), SECRETS.redact(note)
        stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        unique = hashlib.sha256(f"{self._instance}{stamp}{note}".encode("utf-8", "replace")).hexdigest()[:12]
        body: Object = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": f"{name_of(about)}.{unique}", "namespace": namespace_of(about)},
            "eventTime": stamp,
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": action,
            "reason": reason,
            "type": kind,
            "note": note.encode("utf-8", "replace")[:NOTE_MAX].decode("utf-8", "ignore"),
            "regarding": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": name_of(about),
                "namespace": namespace_of(about),
                "uid": about["metadata"].get("uid", ""),
            },
        }
        try:
            self._api.create(EVENT, namespace_of(about), body)
        except ClusterUnavailable as error:
            _LOG.debug("an event could not be written", why=str(error))

    def _has_token(self, key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if len(self._tokens) > OBJECTS_MAX:
                self._tokens.clear()
            tokens, at = self._tokens.get(key, (float(BURST), now))
            tokens = min(float(BURST), tokens + (now - at) / EVERY_S)
            self._tokens[key] = (max(0.0, tokens - 1.0), now)
            return tokens >= 1.0
