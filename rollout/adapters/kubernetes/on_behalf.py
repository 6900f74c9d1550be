"""The API with somebody else's token: what the address needs is kept, and no credential of ours."""

from __future__ import annotations

from typing import Any

_ADDRESS = (
    "host",
    "ssl_ca_cert",
    "verify_ssl",
    "assert_hostname",
    "tls_server_name",
    "proxy",
    "no_proxy",
    "proxy_headers",
)
"""What a configuration says of the server. All else is left out: it may be a credential, or bring one back."""


def with_token(configuration: Any, token: str) -> Any:
    """Return a configuration that reaches the same server as the user of a bearer token.

    The hook that renews a service account's token is not taken over: it would put ours in the place of the user's.
    """
    from kubernetes import client  # noqa: PLC0415  0.4 s

    other = client.Configuration()
    for name in _ADDRESS:
        if hasattr(configuration, name):
            setattr(other, name, getattr(configuration, name))
    other.api_key = {"authorization": token}
    other.api_key_prefix = {"authorization": "Bearer"}
    return other
