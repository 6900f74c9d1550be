"""Where users enter: an address as people write it, and as it is listened on and asked."""

from __future__ import annotations

LOCALHOST = "localhost"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what `0.0.0.0:8080` means everywhere


def host_and_port(address: str) -> tuple[str, int]:
    """Return the IP address and the port of `host:port`; `localhost` is 127.0.0.1, for Envoy resolves nothing here."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return ("127.0.0.1" if host == LOCALHOST else host), int(port)


def url_of(address: str) -> str:
    """Return the URL by which a user on this machine reaches what listens on an address."""
    host, port = host_and_port(address)
    host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
