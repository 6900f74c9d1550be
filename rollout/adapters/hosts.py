"""Hosts that somebody allows: for whom a secret is meant."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def host_of(url: str) -> str:
    """Return `host:port` of a URL; empty where it has none, or no port that can be."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    host = (parts.hostname or "").rstrip(".")
    return f"{host}:{port}" if host and port else ""


def is_allowed(url: str, patterns: Iterable[str]) -> bool:
    """Whether a URL's host is among those allowed.

    Args:
        patterns: `host`, `host:port`, `*.domain` or `*.domain:port`; without a port, any.
    """
    host, _, port = host_of(url).rpartition(":")
    return bool(host) and any(_fits(pattern.strip().lower(), host, port) for pattern in patterns)


def _fits(pattern: str, host: str, port: str) -> bool:
    if pattern.startswith("[") and "]" in pattern:  # an IPv6 address, as URLs write it
        name, _, rest = pattern[1:].partition("]")
        wanted = rest.removeprefix(":")
    else:
        name, colon, wanted = pattern.rpartition(":")
        if not colon:
            name, wanted = pattern, ""
    if wanted not in ("", port):
        return False
    name = name.rstrip(".")
    if name.startswith("*."):
        return len(name) > len("*.") and host.endswith(name[1:]) and host != name[1:]
    return bool(name) and name == host
