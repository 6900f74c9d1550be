"""Secrets of the cluster, turned into what a Prometheus is reached with. They are never logged."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
import time
from pathlib import Path

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import SECRET
from rollout.adapters.metrics.prometheus_client import Access, PrometheusClient
from rollout.errors import Forbidden, NotFound, PageUnavailable
from rollout.model.api.metrics import FromSecret, Prometheus

KEPT_S = 60.0
"""So soon a changed secret is used."""

CLIENTS_MAX = 200


class Credentials:
    """Clients by how they reach their Prometheus: rollouts that reach one in the same way share it."""

    def __init__(self, api: Api, directory: Path) -> None:
        """Read secrets as a cluster keeps them.

        Args:
            directory: private to this process; certificates are files to the libraries that use them.
        """
        self._api, self._directory = api, directory
        self._lock = threading.Lock()
        self._secrets: dict[tuple[str, str, str], tuple[float, str]] = {}
        self._clients: dict[Access, PrometheusClient] = {}

    def client(self, declared: Prometheus, namespace: str) -> PrometheusClient:
        """Return the client of a Prometheus. Raises Unavailable where a secret cannot be read, with its name only."""
        headers: tuple[tuple[str, str], ...] = ()
        basic = None
        auth, tls = declared.auth, declared.tls
        if auth is not None and auth.bearer is not None:
            headers = (("Authorization", f"Bearer {self.value(auth.bearer, namespace)}"),)
        if auth is not None and auth.basic is not None:
            basic = (self.value(auth.basic.username, namespace), self.value(auth.basic.password, namespace))
        ca = self._file(tls.ca, namespace) if tls and tls.ca else None
        cert = None
        if tls and tls.cert and tls.key:
            cert = (self._file(tls.cert, namespace), self._file(tls.key, namespace))
        insecure = bool(tls and tls.insecure_skip_verify)
        access = Access(declared.url, declared.timeout_s, headers, basic, ca, cert, insecure)
        with self._lock:
            if access not in self._clients and len(self._clients) >= CLIENTS_MAX:
                self._clients.pop(next(iter(self._clients)))
            return self._clients.setdefault(access, PrometheusClient(access))

    def value(self, source: FromSecret, namespace: str, where_used: str = "spec.metrics.prometheus") -> str:
        """Return a secret. Raises PageUnavailable where it cannot be read, with its name only."""
        reference = source.secret_key_ref
        key = (namespace, reference.name, reference.key)
        at, value = self._secrets.get(key, (0.0, ""))
        if at and time.monotonic() - at < KEPT_S:
            return value
        where = f"the Secret {namespace}/{reference.name}"
        try:
            data = self._api.get(SECRET, namespace, reference.name).get("data") or {}
            value = base64.b64decode(data[reference.key]).decode().strip()
        except NotFound as error:
            raise PageUnavailable(f"{where} does not exist: create it, or correct {where_used}") from error
        except Forbidden as error:
            remedy = "let the controller read it by name (manifests/examples/secret-reader.yaml)"
            raise PageUnavailable(f"{where} may not be read: {remedy}") from error
        except KeyError as error:
            raise PageUnavailable(f"{where} has no key {reference.key}") from error
        except (binascii.Error, UnicodeDecodeError) as error:
            raise PageUnavailable(f"{where}: {reference.key} is not text") from error
        self._secrets[key] = (time.monotonic(), value)
        return value

    def _file(self, source: FromSecret, namespace: str) -> Path:
        """Return a private file with a secret's text."""
        text = self.value(source, namespace)
        path = self._directory / hashlib.sha256(text.encode()).hexdigest()[:24]
        if not path.exists():
            fresh = path.with_suffix(f".{threading.get_ident()}")
            fresh.touch(mode=0o600)
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(path)  # whole, or not there
        return path
