"""The digest of an image: a tag may be moved, and what was released must stay what was judged.

The distribution API of OCI registries, as far as one GET of a manifest needs it: with nobody's credentials, or those
that `docker login` has kept. Clients for it bring an HTTP stack of their own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from rollout.adapters.http import Response
from rollout.errors import Fault, InvalidInput, PageUnavailable

TIMEOUT_S = 10.0
MANIFEST_MAX_BYTES = 4 * 1024 * 1024

_HUB, _HUB_HOST = "docker.io", "registry-1.docker.io"
_REFERENCE = re.compile(
    r"^(?:(?P<host>(?:[A-Za-z0-9.-]+[.:][A-Za-z0-9.:-]*|localhost(?::\d+)?))/)?"
    r"(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Asks(Protocol):
    """Whoever asks an HTTP service. Raises PageUnavailable without an answer."""

    def ask(
        self, method: str, url: str, body: Any, headers: dict[str, str], timeout_s: float, max_bytes: int
    ) -> Response: ...


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is written: host/path:tag@digest."""

    written: str
    host: str
    path: str
    tag: str
    digest: str

    def at(self, digest: str) -> str:
        """Return how it is written with its digest; the tag stays, for people."""
        return f"{self.written}@{digest}"


def image_of(text: str) -> Image:
    """Read an image. Raises InvalidInput."""
    match = _REFERENCE.match(text)
    if match is None:
        raise InvalidInput([Fault("--image", "is no image", "write it as registry.example.com/agent:2.0", text)])
    host, path = match["host"] or _HUB, match["path"]
    if host == _HUB and "/" not in path:
        path = f"library/{path}"
    return Image(text, host, path, match["tag"] or "latest", match["digest"] or "")


def with_digest(image: Image, service: Asks, credentials: Mapping[str, str]) -> str:
    """Return how an image is written with its digest. Raises PageUnavailable where its registry does not tell it.

    Args:
        credentials: by host, as `docker login` keeps them: base64 of name:password.
    """
    if image.digest:
        return image.written
    host = _HUB_HOST if image.host == _HUB else image.host
    scheme = "http" if host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK else "https"
    url = f"{scheme}://{host}/v2/{image.path}/manifests/{image.tag}"
    known = credentials.get(image.host)
    headers = {"Accept": _MANIFESTS}
    answer = service.ask("GET", url, None, headers, TIMEOUT_S, MANIFEST_MAX_BYTES)
    if answer.status == 401:
        authorization = _authorization(answer.challenge, service, known, scheme)
        headers["Authorization"] = authorization
        answer = service.ask("GET", url, None, headers, TIMEOUT_S, MANIFEST_MAX_BYTES)
    if answer.status != 200:
        raise PageUnavailable(f"{host} answered {answer.status} for {image.path}:{image.tag}", answer.status)
    return image.at(f"sha256:{hashlib.sha256(answer.text.encode()).hexdigest()}")


def kept_credentials(directory: Path) -> dict[str, str]:
    """Return what `docker login` has kept in a directory, by host; nothing of what a helper keeps."""
    try:
        auths = json.loads((directory / "config.json").read_text(encoding="utf-8")).get("auths")
    except (OSError, ValueError, AttributeError):
        return {}
    entries = auths.items() if isinstance(auths, dict) else ()
    kept = {_host_of(host): entry["auth"] for host, entry in entries if isinstance(entry, dict) and entry.get("auth")}
    return {host: auth for host, auth in kept.items() if isinstance(auth, str)}


def _host_of(written: str) -> str:
    host = urlsplit(written if "//" in written else f"//{written}").netloc
    return _HUB if host in ("index.docker.io", _HUB_HOST) else host


def _authorization(challenge: str, service: Asks, known: str | None, scheme: str) -> str:
    """Return the header that a registry asks for. Raises PageUnavailable."""
    kind, _, rest = challenge.partition(" ")
    if kind.lower() == "basic" and known is not None:
        return f"Basic {known}"
    wanted = dict(_PARAMETER.findall(rest))
    realm = wanted.pop("realm", "")
    if kind.lower() != "bearer" or not realm.startswith(f"{scheme}://"):
        raise PageUnavailable("the registry wants credentials that are not known here: docker login", 401)
    headers = {} if known is None else {"Authorization": f"Basic {known}"}
    answer = service.ask("GET", f"{realm}?{urlencode(wanted)}", None, headers, TIMEOUT_S, MANIFEST_MAX_BYTES)
    try:
        answered = json.loads(answer.text)
        token = answered.get("token") or answered.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if answer.status != 200 or not isinstance(token, str):
        raise PageUnavailable("the registry gives no token for this image: docker login", answer.status)
    return f"Bearer {token}"
