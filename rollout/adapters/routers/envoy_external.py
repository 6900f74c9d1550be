"""An Envoy that you run yourself: steered through the files it watches, read back through its admin page."""

from __future__ import annotations

import json
from pathlib import Path

from rollout.adapters.http import Pages
from rollout.adapters.routers.envoy_config import ROUTES
from rollout.adapters.routers.envoy_files import WatchedFiles
from rollout.errors import PageUnavailable, RouterUnavailable

ADMIN_TIMEOUT_S = 2.0


class ExternalEnvoy:
    """The same to the router as one that we start, but never started or stopped.

    Args:
        admin: host and port.
    """

    has_preview_listener = False
    is_outdated = False

    def __init__(self, admin: str, directory: Path, http: Pages) -> None:
        self._admin = f"http://{admin}"
        self._http = http
        self.files = WatchedFiles(directory, private=False)

    def admin(self) -> str | None:
        """Return the admin page's URL; whether it answers is seen when it is read."""
        return self._admin

    def get(self, page: str) -> str:
        """Return an admin page's text. Raises RouterUnavailable."""
        try:
            return self._http.get(f"{self._admin}{page}", ADMIN_TIMEOUT_S)
        except PageUnavailable as error:
            raise RouterUnavailable(f"your Envoy's admin page: {error}") from error

    def shared_with(self, rollout: str) -> str:
        """Return which other rollout writes its files into the same directory; empty if none does."""
        try:
            name = str(json.loads(self.files.read(ROUTES))["resources"][0]["name"])
        except (ValueError, KeyError, IndexError, TypeError):
            return ""
        return "" if name == rollout else name

    def stop(self) -> None:
        """Leave it running: ending it is your business too."""

    def ensure(self) -> None:
        """See that it answers: starting it is your business. Raises RouterUnavailable."""
        self.get("/ready")
