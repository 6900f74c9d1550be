"""What is kept of objects that many are watched of: the fields that this tool reads, as one text.

A parsed object takes ten times the memory of its text, and few are read between two changes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from rollout.adapters.kubernetes.resources import (
    DEPLOYMENT,
    DESTINATION_RULE,
    ENDPOINT_SLICE,
    SERVICE,
    Kind,
    Object,
)

SERVICE_NAME = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names its Service."""

_METADATA = (
    "name", "namespace", "uid", "resourceVersion", "generation", "deletionTimestamp", "labels", "ownerReferences",
)  # fmt: skip
_ENDPOINT = ("addresses", "conditions", "targetRef")
_SPEC = ("ports", "selector", "type", "externalName")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def packing(kind: Kind) -> Callable[[Object], str]:
    """Return how an object becomes a text with the fields that are read."""
    slim = _SLIM[kind]
    return lambda obj: packed(slim(obj))


def packed(obj: Object) -> str:
    """Return an object as one text, with all that it has."""
    return json.dumps(obj, separators=(",", ":"))


def unpacked(text: str) -> Object:
    obj: Object = json.loads(text)
    return obj


def compressed(obj: Object) -> bytes:
    """Return a large object, as a Rollout is with its evidence, in a quarter of its text's memory."""
    return zlib.compress(packed(obj).encode(), 1)


def decompressed(data: bytes) -> Object:
    return unpacked(zlib.decompress(data).decode())


def _service(obj: Object) -> Object:
    return {**_head(obj), "spec": _of(obj.get("spec"), _SPEC)}


def _endpoint_slice(obj: Object) -> Object:
    endpoints = [_of(endpoint, _ENDPOINT) for endpoint in obj.get("endpoints") or ()]
    return {**_head(obj), "endpoints": endpoints, **_of(obj, ("ports", "addressType"))}


def _deployment(obj: Object) -> Object:
    annotations = (obj["metadata"].get("annotations") or {}).items()
    head = _head(obj)
    head["metadata"]["annotations"] = {name: value for name, value in annotations if name != _APPLIED}
    status = {name: value for name, value in (obj.get("status") or {}).items() if name != "conditions"}
    return {**head, "spec": obj.get("spec"), "status": status}


def _whole(obj: Object) -> Object:
    return obj


def _head(obj: Object) -> Object:
    return {**_of(obj, ("apiVersion", "kind")), "metadata": _of(obj["metadata"], _METADATA)}


def _of(raw: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return some members of an object; what is no object has none."""
    return {name: raw[name] for name in names if name in raw} if isinstance(raw, dict) else {}


_SLIM: Mapping[Kind, Callable[[Object], Object]] = {
    SERVICE: _service,
    ENDPOINT_SLICE: _endpoint_slice,
    DEPLOYMENT: _deployment,
    DESTINATION_RULE: _whole,
}

KINDS = tuple(_SLIM)
"""What is watched of the workloads."""
