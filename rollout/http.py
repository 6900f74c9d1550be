"""The one place that imports httpx: short, bounded requests to pages we read."""

from __future__ import annotations

import time

import httpx

from rollout.errors import PageUnavailable

PAGE_MAX_BYTES = 16 * 1024 * 1024
"""A metrics page beyond this is refused: reading it would stall every look."""


class Pages:
    """Reads pages. One client for the process: building one costs more than using it."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        # Proxies from the environment are not for loopback and cluster addresses.
        self._client = httpx.Client(transport=transport, trust_env=False, follow_redirects=False, verify=False)  # noqa: S501  http only, by the model

    def get(self, url: str, timeout_s: float) -> str:
        """Return a page's text. Raises PageUnavailable for anything but a 200 of bearable size."""
        return self._read("GET", url, timeout_s)

    def post(self, url: str, timeout_s: float) -> str:
        """Send an empty POST and return the answer's text. Raises PageUnavailable likewise."""
        return self._read("POST", url, timeout_s)

    def _read(self, method: str, url: str, timeout_s: float) -> str:
        try:
            with self._client.stream(method, url, timeout=timeout_s) as response:
                if response.status_code != httpx.codes.OK:
                    raise PageUnavailable(f"{url} answered {response.status_code} {response.reason_phrase}".rstrip())
                body, deadline = bytearray(), time.monotonic() + timeout_s
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > deadline:
                        raise PageUnavailable(f"{url} was not through after {timeout_s:g} s")
                    if len(body) > PAGE_MAX_BYTES:
                        raise PageUnavailable(f"{url} is larger than {PAGE_MAX_BYTES // 2**20} MiB")
                return body.decode("utf-8", errors="replace")
        except httpx.TimeoutException as error:
            raise PageUnavailable(f"{url} did not answer within {timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PageUnavailable(f"{url} cannot be reached: {error}") from error

    def close(self) -> None:
        self._client.close()
