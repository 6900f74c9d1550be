"""What an answer of the API server that is no success means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from rollout.causes import why
from rollout.errors import ClusterUnavailable, Conflict, Expired, Forbidden, NotFound, NotInstalled, Rejected

_KINDS: dict[int, type[ClusterUnavailable]] = {
    400: Rejected,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    415: Rejected,
    422: Rejected,
}
RETRY_AFTER_MAX_S = 60.0

_RIGHTS = re.compile(r"\bcannot [a-z]+ (resource|path)\b")
"""How the authorizer says that a right is missing; a Status has no other sign that tells it from a denial."""


def error_for(method: str, path: str, status: int, raw: bytes, headers: Mapping[str, str]) -> ClusterUnavailable:
    """Return what a status stands for, with the server's own words."""
    message = _message(raw) or f"HTTP {status}"
    if status == 401:
        message = f"{message}: authentication failed; renew the credentials"
    kind = _KINDS.get(status, ClusterUnavailable)
    if status == 403 and not _RIGHTS.search(message):
        kind = Rejected  # an admission plugin, a webhook or a quota: rights are not what is missing
    if status == 404 and not _is_status(raw):  # a Status is about an object; a plain page, about its kind
        message, kind = "the kind is not installed: apply its definitions", NotInstalled
    return kind(f"{method} {path}: {message}", _retry_after_s(headers.get("Retry-After")))


def lost(method: str, path: str, error: Exception) -> ClusterUnavailable:
    """Return the error of a call whose answer never came: what was asked for may or may not have happened."""
    return ClusterUnavailable(f"{method} {path}: no answer from the Kubernetes API ({why(error)})".replace("  ", " "))


def _message(raw: bytes) -> str:
    try:
        parsed = json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace").strip()[:200]
    if not isinstance(parsed, dict):
        return ""
    causes = (parsed.get("details") or {}).get("causes") or ()
    message = "; ".join(f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes)
    return (message if causes else str(parsed.get("message", "")))[:1000]


def _is_status(raw: bytes) -> bool:
    try:
        parsed = json.loads(raw)
    except ValueError:
        return False
    return isinstance(parsed, dict) and parsed.get("kind") == "Status"


def _retry_after_s(text: str | None) -> float:
    try:
        return min(RETRY_AFTER_MAX_S, max(0.0, float(text or 0)))
    except ValueError:
        return 0.0
