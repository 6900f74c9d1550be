"""What this process knows as a secret is in nothing that it writes, in whatever spelling it comes back."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import ssl
import traceback
from urllib.parse import quote

import httpx
import pytest
import structlog

from rollout import redaction
from rollout.adapters.hosts import host_of, is_allowed
from rollout.causes import why
from rollout.contracts.samples.postgres_address import problem_of, settings
from rollout.contracts.samples.postgres_errors import meaning_of
from rollout.redaction import SHOWN, Secrets
from rollout.runtime.logs import configure

SECRET = "hunter2+/Hunter2\nsecond-line-4711"


@pytest.fixture
def secrets():
    known = Secrets()
    known.note(SECRET)
    return known


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        SECRET.splitlines()[1],
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        quote(SECRET, safe=""),
        json.dumps({"a": SECRET}),
        repr(SECRET),
    ],
)
def test_a_secret_is_taken_out_in_every_spelling(secrets, text):
    redacted = secrets.redact(f"before {text} after")
    assert "hunter2" not in redacted.lower() and "4711" not in redacted
    assert redacted.startswith("before ") and redacted.endswith(" after") and SHOWN in redacted


def test_a_piece_that_a_library_quotes_is_taken_out():
    known = Secrets()
    known.note("postgresql://app:hunter2-hunter2@db.internal/agents?sslmode=require")
    assert known.redact('invalid token: "hunter2-hunter2"') == f'invalid token: "{SHOWN}"'


def test_common_words_and_addresses_stay_although_a_secret_has_them():
    known = Secrets()
    known.note("postgresql://postgres:pw@127.0.0.1:5432/postgres")
    text = "http://127.0.0.1:9001 answers; postgresql does not"
    assert known.redact(text) == text


def test_names_stay_and_sentences_do_not_although_a_secret_is_a_name():
    known = Secrets()
    known.note("agent-production")
    document = {"name": "agent-production", "message": "agent-production", "steps": [{"why": "no agent-production"}]}
    assert known.redacted(document) == {
        "name": "agent-production",
        "message": SHOWN,
        "steps": [{"why": f"no {SHOWN}"}],
    }


def test_of_the_environment_what_is_named_as_a_secret_is_known():
    known = Secrets()
    known.note_environment({
        "API_TOKEN": "t0ken-t0ken", "HTTPS_PROXY": "http://me:pr0xy-pass@proxy:3128", "HOME": "/home/someone",
        "ROLLOUT_GATE_CI": "gate-value-1", "TOKENIZERS_PARALLELISM": "false", "TOKEN_FILE": "/var/run/token",
    })  # fmt: skip
    text = "t0ken-t0ken pr0xy-pass gate-value-1 /home/someone false /var/run/token"
    assert known.redact(text) == f"{SHOWN} {SHOWN} {SHOWN} /home/someone false /var/run/token"


def test_a_traceback_in_the_log_is_without_the_secrets_that_are_known(monkeypatch):
    monkeypatch.setattr(redaction.SECRETS, "_known", {})
    redaction.SECRETS.note("logged-secret-81")
    stream = io.StringIO()
    configure(verbose=False, stream=stream)
    try:
        raise ValueError("Invalid header value b'Bearer logged-secret-81'")
    except ValueError:
        structlog.get_logger("x").exception("internal error", why="logged-secret-81")
    finally:
        configure(verbose=False)
    assert "ValueError" in stream.getvalue() and "logged-secret-81" not in stream.getvalue()


# -- causes ------------------------------------------------------------------------------------------------------------


def sqlite_error():
    try:
        sqlite3.connect(":memory:").execute("SELECT * FROM canary")
    except sqlite3.Error as error:
        return error
    raise AssertionError


def chained():
    try:
        try:
            raise ConnectionRefusedError(111, "canary")
        except OSError as error:
            raise httpx.ConnectError("canary") from error
    except httpx.HTTPError as error:
        return error


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (ValueError("canary"), "ValueError"),
        (OSError(28, "canary"), "No space left on device"),
        (ConnectionResetError("canary"), "Connection reset by peer"),
        (httpx.ReadTimeout("canary"), "it did not answer in time"),
        (httpx.RemoteProtocolError("canary"), "it closed the connection, or does not speak HTTP"),
        (ssl.SSLError(1, "canary"), "TLS failed (no reason was given)"),
        (UnicodeDecodeError("utf-8", b"canary", 0, 1, "canary"), "it is not UTF-8 text"),
        (RecursionError("canary"), "it is nested too deeply"),
        (sqlite_error(), "SQLite says SQLITE_ERROR"),
        (chained(), "Connection refused"),
    ],
)
def test_an_error_is_told_by_its_kind_and_never_by_its_text(error, meaning):
    assert why(error) == meaning
    assert "canary" in "".join(traceback.format_exception(error)), "the text of it would have told"


@pytest.mark.parametrize(
    ("state", "text", "meaning"),
    [
        ("28P01", "canary", "authentication failed"),
        ("3D000", "canary", "there is no such database"),
        ("42501", "canary", "grant SELECT"),
        ("XX000", "canary", "the error XX000"),
        ("canary", "canary", "OperationalError"),
        (None, 'FATAL: password authentication failed for user "canary"', "authentication failed"),
        (None, "could not translate host name canary", "cannot be resolved"),
        (None, "canary: Connection refused", "nothing listens"),
    ],
)
def test_an_error_of_postgresql_is_told_by_its_state_and_never_by_its_text(state, text, meaning):
    error = type("OperationalError", (Exception,), {"sqlstate": state})(text)
    assert meaning in meaning_of(error) and "canary" not in meaning_of(error)


@pytest.mark.parametrize(
    ("address", "in_cluster", "on_machine"),
    [
        ("postgresql://u:p@db:5432/x?sslmode=require", "", ""),
        ("postgresql://db/x?sslrootcert=system", "", ""),
        ("postgresql://db/x?sslrootcert=/etc/ca.pem", "names files", ""),
        ("postgresql://db/x?sslkey=/k", "names files", ""),
        ("postgresql:///x?host=/run/postgresql", "names no host", ""),
        ("postgresql:///x", "names no host", ""),
        ("postgresql://%2Frun%2Fpg/x", "names no host", ""),
        ("canary", "no URL", "no URL"),
        ("host=db password=canary", "no URL", "no URL"),
        ("postgresql://db/x?canary=1", "not known", "not known"),
        ("postgresql://[canary/x", "no URL", "no URL"),
    ],
)
def test_an_address_of_a_store_is_looked_at_before_libpq_can_quote_it(address, in_cluster, on_machine):
    for problem, expected in (
        (problem_of(address, may_name_files=False), in_cluster),
        (problem_of(address, may_name_files=True), on_machine),
    ):
        assert expected in problem and bool(problem) == bool(expected) and "canary" not in problem


def test_a_store_that_a_secret_names_gets_no_password_of_the_controllers_own():
    assert settings("postgresql://db/x", may_name_files=False)["password"] == ""
    assert "password" not in settings("postgresql://u:p@db/x", may_name_files=False)
    assert settings("postgresql://db/x", may_name_files=True) == {}


# -- hosts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "patterns", "allowed"),
    [
        ("http://prometheus.monitoring:9090/x", ["prometheus.monitoring:9090"], True),
        ("http://prometheus.monitoring:9090", ["prometheus.monitoring"], True),
        ("http://prometheus.monitoring:9091", ["prometheus.monitoring:9090"], False),
        ("https://PROM.Example.com", ["prom.example.com:443"], True),
        ("http://prom.example.com", ["prom.example.com:443"], False),
        ("https://a.example.com", ["*.example.com"], True),
        ("https://example.com", ["*.example.com"], False),
        ("https://evilexample.com", ["*.example.com"], False),
        ("https://example.com.evil.org", ["example.com"], False),
        ("https://example.com.", ["example.com"], True),
        ("http://[::1]:9090", ["[::1]:9090"], True),
        ("http://anything", ["*"], False),
        ("http://anything", ["*."], False),
        ("http://x:99999", ["x"], False),
        ("http://x", [], False),
        ("nonsense", ["nonsense"], False),
    ],
)
def test_a_host_is_allowed_by_its_whole_name_and_port(url, patterns, allowed):
    assert is_allowed(url, patterns) is allowed


def test_the_host_of_a_url_has_the_port_that_is_meant():
    assert [host_of(url) for url in ("http://a", "https://a/x", "http://a:1", "x")] == ["a:80", "a:443", "a:1", ""]
