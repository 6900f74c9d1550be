"""The address of a PostgreSQL store, looked at before libpq sees it: libpq quotes what it cannot read."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("postgresql", "postgres")

_FILES = frozenset({
    "passfile", "service", "servicefile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "sslpassword",
    "sslkeylogfile", "require_auth",
})  # fmt: skip
"""What names files of the machine, or passwords for them."""

_OURS = frozenset({"options", "application_name", "connect_timeout", "fallback_application_name"})
_KNOWN = _FILES | _OURS | {
    "host", "hostaddr", "port", "dbname", "user", "password", "sslmode", "sslnegotiation", "channel_binding",
    "client_encoding", "gssencmode", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "target_session_attrs", "load_balance_hosts", "ssl_min_protocol_version", "sslsni",
}  # fmt: skip

_EXAMPLE = "write postgresql://user:password@host:5432/database"


def problem_of(address: str, *, may_name_files: bool) -> str:
    """Return what is wrong with an address, without a word of it; empty if it can be used."""
    try:
        parts = urlsplit(address)
        scheme, path, query = parts.scheme, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
        hosts = parts.netloc.rpartition("@")[2]
        unquote(parts.netloc, errors="strict"), unquote(path, errors="strict")
    except (ValueError, UnicodeError):
        return f"its address is no URL: {_EXAMPLE}"
    if scheme not in SCHEMES or not address.isprintable():
        return f"its address is no URL of PostgreSQL: {_EXAMPLE}"
    if not query.keys() <= _KNOWN:
        return f"its address has a parameter that is not known here: {_EXAMPLE}"
    if may_name_files:
        return ""
    rootcert = query.get("sslrootcert", "system")
    if (_FILES - {"sslrootcert"}) & query.keys() or rootcert != "system":
        return "its address names files of the controller, which a Rollout may not use: leave them out"
    on_socket = not hosts.partition(":")[0] and not query.get("host") and not query.get("hostaddr")
    if (
        on_socket
        or "/" in unquote(hosts)
        or any(text.startswith(("/", "@")) for text in query.get("host", "").split(","))
    ):
        return f"its address names no host: {_EXAMPLE}"
    return ""


def settings(address: str, *, may_name_files: bool) -> dict[str, Any]:
    """Return what is told to libpq beside the address, so that it takes no secret from the controller's environment.

    A password of the controller's own (PGPASSWORD, ~/.pgpass) is not for the host that somebody's Secret names.
    """
    if may_name_files:
        return {}
    parts = urlsplit(address)
    has_password = parts.password is not None or "password" in dict(parse_qsl(parts.query))
    return {"passfile": "/nonexistent", "sslkey": "", "sslcert": "", **({} if has_password else {"password": ""})}
