"""The census of open conversations that each instance of a version gives: `{"open": 3}`. All must answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from rollout.adapters.http import Services
from rollout.errors import PageUnavailable

TIMEOUT_S = 3.0
MAX_BYTES = 64 * 1024
OK = 200

Addresses = Callable[[str], Sequence[str]]
"""Where every instance of a version answers. Raises Unavailable."""


def from_pages(services: Services, addresses: Addresses, path: str) -> Callable[[str], int]:
    """Return how a version's open conversations are counted: the sum over its instances."""

    def count(version: str) -> int:
        urls = [address.rstrip("/") + path for address in addresses(version)]
        if not urls:
            raise PageUnavailable(f"{version} has no address")
        return sum(_open_at(services, url) for url in urls)

    return count


def _open_at(services: Services, url: str) -> int:
    answer = services.ask("GET", url, None, {}, TIMEOUT_S, MAX_BYTES)
    if answer.status != OK:
        raise PageUnavailable(f"{url} answered {answer.status}: serve the census there (docs/conversations.md)")
    try:
        page = json.loads(answer.text)
    except (ValueError, RecursionError):
        page = None
    count = page.get("open") if isinstance(page, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise PageUnavailable(f'{url} does not say {{"open": N}} (docs/conversations.md)')
    return count
