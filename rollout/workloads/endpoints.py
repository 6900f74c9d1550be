"""Readiness of versions that are plain addresses: does anything accept a connection there?"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 1.0


def problem_of(url: str) -> str:
    """Return an empty text if the address accepts connections, else what is wrong."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    try:
        with closing(socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)):
            return ""
    except OSError as error:
        return f"{url} does not answer: {error.strerror or error}"


class EndpointWorkloads:
    """A version is ready while at least one of its endpoints accepts connections."""

    def __init__(self, urls_of: Callable[[str], tuple[str, ...]]) -> None:
        self._urls_of = urls_of

    def ready(self, versions: tuple[str, ...]) -> Mapping[str, str]:
        """Return, by version, an empty text or what is wrong with all of its endpoints."""
        found: dict[str, str] = {}
        for version in versions:
            problems = [problem_of(url) for url in self._urls_of(version)]
            found[version] = "" if problems and not all(problems) else "; ".join(problems) or "it has no endpoint"
        return found
