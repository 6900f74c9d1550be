"""Readiness of versions that are plain addresses: does anything accept a connection there?"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlsplit

from rollout.causes import why
from rollout.engine.facts import RoleFacts
from rollout.model.api.rollout import Backends
from rollout.model.status.endpoints import Endpoints

CONNECT_TIMEOUT_S = 1.0


def problem_of(url: str) -> str:
    """Return an empty text if the address accepts connections, else what is wrong."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    try:
        with closing(socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)):
            return ""
    except OSError as error:
        return f"{url} does not answer: {why(error)}"


class EndpointWorkloads:
    """A version is ready while at least one of its endpoints accepts connections. Nobody scales it but its owner."""

    no_backend = "has no endpoint: add one to spec.backends.endpoints"

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    def known(self, versions: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002  the port's
        """Return every version there is an endpoint for."""
        return self._backends.served

    def ready(self, versions: tuple[str, ...], ports: Mapping[str, tuple[int, ...]]) -> Mapping[str, str]:  # noqa: ARG002
        """Return, by version, an empty text or what is wrong with all of its endpoints."""
        problem_of_version: dict[str, str] = {}
        for version in versions:
            problems = [problem_of(url) for url in self._backends.of(version)]
            problem_of_version[version] = (
                "" if problems and not all(problems) else "; ".join(problems) or "it has no endpoint"
            )
        return problem_of_version

    def asleep(self, versions: tuple[str, ...]) -> frozenset[str]:  # noqa: ARG002
        """Return none: an address that does not answer is down."""
        return frozenset()

    def roles(self) -> RoleFacts | None:
        """Return none: an address serves one version."""
        return None

    def identities(self, versions: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:  # noqa: ARG002
        """Return none: an address does not say what is behind it."""
        return {}

    def workers(self, version: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return none, likewise."""
        return ()

    def endpoints(self, versions: tuple[str, ...]) -> Mapping[str, Endpoints]:  # noqa: ARG002
        """Return none: what is behind an address is not known."""
        return {}

    def promote_image(self, version: str) -> None:
        """Do nothing: there are no roles here."""

    def scale_down(self, version: str) -> None:
        """Do nothing, likewise."""

    def scale_up(self, version: str, like: str) -> None:
        """Do nothing: who starts processes here is not known."""
