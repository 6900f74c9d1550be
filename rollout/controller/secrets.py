"""Secrets of the cluster, turned into what a Prometheus or a database is reached with. They are never logged.

Whoever may write a Rollout need not be allowed to read the Secrets beside it. So a Secret says to which hosts it may be
sent, and is sent nowhere else: a Rollout that names its author's own server does not get the token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rollout.adapters.hosts import host_of, is_allowed
from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import SECRET
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_connection import Access
from rollout.errors import Forbidden, NotFound, PageUnavailable
from rollout.model.api.metrics import FromSecret, Prometheus
from rollout.redaction import SECRETS

ALLOWED_HOSTS = "rollout.dev/allowed-hosts"
"""The annotation of a Secret: hosts that it may be sent to, such as `prometheus.monitoring:9090, *.example.com`."""

KEPT_S = 60.0
"""So soon a changed secret is used."""

REFUSED_S = 5.0
CLIENTS_MAX = 200
SECRETS_MAX = 2000


@dataclass(frozen=True, slots=True, repr=False)
class _Value:
    """One key of a Secret as it was read, and the hosts that its Secret allows."""

    text: str
    hosts: tuple[str, ...]
    at_s: float

    def allows(self, url: str) -> bool:
        return not url or is_allowed(url, self.hosts)

    def read_again_at(self, url: str) -> float:
        """Return when it is old: sooner where it is refused, for whoever has just mended the annotation."""
        return self.at_s + (KEPT_S if self.allows(url) else REFUSED_S)


class Credentials:
    """Clients by how they reach their Prometheus: rollouts that reach one in the same way share it."""

    def __init__(self, api: Api, directory: Path) -> None:
        """Read secrets as a cluster keeps them.

        Args:
            directory: private to this process; certificates are files to the libraries that use them.
        """
        self._api, self._directory = api, directory
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str, str], _Value] = {}
        self._clients: dict[Access, PrometheusClient] = {}

    def client(self, declared: Prometheus, namespace: str) -> PrometheusClient:
        """Return the client of a Prometheus. Raises Unavailable where a secret cannot be used, with its name only."""
        headers: tuple[tuple[str, str], ...] = ()
        basic = None
        auth, tls, url = declared.auth, declared.tls, declared.url
        if auth is not None and auth.bearer is not None:
            headers = (("Authorization", f"Bearer {self._line(auth.bearer, namespace, url)}"),)
        if auth is not None and auth.basic is not None:
            basic = (self._line(auth.basic.username, namespace, url), self._line(auth.basic.password, namespace, url))
        ca = self._file(tls.ca, namespace, "") if tls and tls.ca else None
        cert = None
        if tls and tls.cert and tls.key:
            cert = (self._file(tls.cert, namespace, url), self._file(tls.key, namespace, url))
        insecure = bool(tls and tls.insecure_skip_verify)
        access = Access(url, declared.timeout_s, headers, basic, ca, cert, insecure)
        with self._lock:
            if access not in self._clients and len(self._clients) >= CLIENTS_MAX:
                self._clients.pop(next(iter(self._clients)))
            return self._clients.setdefault(access, PrometheusClient(access))

    def value(
        self,
        source: FromSecret,
        namespace: str,
        where_used: str = "spec.metrics.prometheus",
        sent_to: str = "",
        *,
        whole: bool = False,
    ) -> str:
        """Return a secret. Raises PageUnavailable where it cannot be used, with its name only.

        Args:
            sent_to: the URL that it, or what it proves, is sent to; empty where it stays here, or names its own host.
            whole: whether its pieces are no secrets by themselves: an address has words in it.
        """
        reference = source.secret_key_ref
        key = (namespace, reference.name, reference.key)
        value = self._values.get(key)
        if value is None or time.monotonic() >= value.read_again_at(sent_to):
            value = self._read(source, namespace, where_used, whole=whole)
            if len(self._values) >= SECRETS_MAX:
                self._values.clear()
            self._values[key] = value
        if not value.allows(sent_to):
            host = host_of(sent_to) or "that host"
            message = (
                f"the Secret {namespace}/{reference.name} does not say that it is meant for {host}, so it is not sent"
            )
            raise PageUnavailable(f"{message}: let its owner annotate it with {ALLOWED_HOSTS}: {host}")
        return value.text

    def _read(self, source: FromSecret, namespace: str, where_used: str, *, whole: bool) -> _Value:
        reference = source.secret_key_ref
        where = f"the Secret {namespace}/{reference.name}"
        try:
            secret = self._api.get(SECRET, namespace, reference.name)
            text = base64.b64decode((secret.get("data") or {})[reference.key]).decode().strip()
        except NotFound as error:
            raise PageUnavailable(f"{where} does not exist: create it, or correct {where_used}") from error
        except Forbidden as error:
            remedy = "let the controller read it by name (manifests/examples/secret-reader.yaml)"
            raise PageUnavailable(f"{where} may not be read: {remedy}") from error
        except KeyError as error:
            raise PageUnavailable(f"{where} has no key {reference.key}") from error
        except (binascii.Error, UnicodeDecodeError):  # the cause would quote it
            raise PageUnavailable(f"{where}: {reference.key} is not text") from None
        SECRETS.note(text, whole=whole)
        annotations = secret["metadata"].get("annotations") or {}
        hosts = tuple(host for host in str(annotations.get(ALLOWED_HOSTS, "")).replace(",", " ").split() if host)
        return _Value(text, hosts, time.monotonic())

    def _line(self, source: FromSecret, namespace: str, url: str) -> str:
        """Return a secret that goes into a header: one line, or whoever sends it would quote it in a complaint."""
        text = self.value(source, namespace, sent_to=url)
        if not text or not text.isascii() or not text.isprintable():
            reference = source.secret_key_ref
            message = f"the Secret {namespace}/{reference.name}: {reference.key} is no token or password"
            raise PageUnavailable(f"{message}: it must be one line of printable ASCII")
        return text

    def _file(self, source: FromSecret, namespace: str, url: str) -> Path:
        """Return a private file with a secret's text."""
        text = self.value(source, namespace, sent_to=url)
        path = self._directory / hashlib.sha256(text.encode()).hexdigest()[:24]
        if not path.exists():
            fresh = path.with_suffix(f".{threading.get_ident()}")
            fresh.touch(mode=0o600)
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(path)  # whole, or not there
        return path
