"""What ConfigMaps and Secrets hold, as digests."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import CONFIG_MAP, SECRET, Object
from rollout.adapters.workloads.references import SourceKind, Use
from rollout.errors import Forbidden, NotFound

DIGITS = 12
MISSING = "missing"
"""What stands for an object that is not there."""

_KINDS = {"ConfigMap": CONFIG_MAP, "Secret": SECRET}


class Contents:
    """Objects of one namespace, each read once.

    A Secret's digest is keyed with the uid of the Secret: whoever reads a status cannot try out what it may hold.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._read: dict[tuple[SourceKind, str], Object | None] = {}

    def digest(self, use: Use) -> str:
        """Return the digest of what is taken; empty where it may not be read. Raises ClusterUnavailable."""
        try:
            held_by = self._object(use.kind, use.name)
        except Forbidden:
            return ""
        if held_by is None:
            return MISSING
        held = {**(held_by.get("binaryData") or {}), **(held_by.get("data") or {})}
        taken = held if use.keys is None else {key: held.get(key) for key in use.keys}
        key = str(held_by["metadata"].get("uid", "")) if use.kind == "Secret" else ""
        return digest_of(taken, key)

    def _object(self, kind: SourceKind, name: str) -> Object | None:
        if (kind, name) not in self._read:
            try:
                self._read[kind, name] = self._api.get(_KINDS[kind], self._namespace, name)
            except NotFound:
                self._read[kind, name] = None
        return self._read[kind, name]


def digest_of(value: Any, key: str = "") -> str:
    """Return a short digest of a JSON value, keyed where a key is given."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()
    hashed = hmac.new(key.encode(), text, "sha256") if key else hashlib.sha256(text)
    return hashed.hexdigest()[:DIGITS]
