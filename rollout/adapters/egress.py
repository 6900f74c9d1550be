"""What tenants' documents may have this process reach, and send: hosts, and bearer tokens from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from rollout.adapters.hosts import host_of, is_allowed
from rollout.errors import PageUnavailable
from rollout.redaction import SECRETS


@dataclass(frozen=True)
class Egress:
    """What the operator allows.

    Attributes:
        tokens: by the name of a variable, the hosts that it may be sent to. None on one machine: who writes a policy
            there runs it with their own environment.
        hosts: the hosts that are asked at all, besides Services of a Rollout's own namespace; None for all.
    """

    tokens: Mapping[str, tuple[str, ...]] | None = None
    hosts: tuple[str, ...] | None = None

    def refusal(self, url: str, namespace: str) -> str:
        """Return why a URL in a document of a namespace is not asked; empty if it may be."""
        if self.hosts is None or is_allowed(url, (*self.hosts, *_own(namespace))):
            return ""
        host = host_of(url) or "that host"
        own = f"or use a Service of the namespace: NAME.{namespace}.svc"
        return f"the operator has not listed {host}, so it is not asked: rollout daemon --allow-host {host}, {own}"

    def check(self, url: str, namespace: str) -> None:
        """Raise PageUnavailable where a URL may not be asked."""
        if refusal := self.refusal(url, namespace):
            raise PageUnavailable(refusal)

    def hosts_of(self, namespace: str) -> tuple[str, ...] | None:
        """Return the patterns of all hosts that documents of a namespace may have asked; None for all."""
        return None if self.hosts is None else (*self.hosts, *_own(namespace))

    def token_refusal(self, variable: str, url: str) -> str:
        """Return why a variable is not sent to a URL; empty if it may be."""
        if self.tokens is None or is_allowed(url, self.tokens.get(variable, ())):
            return ""
        host = host_of(url) or "that host"
        message = f"the operator has not listed {variable} for {host}, so it is not sent there"
        return f"{message}: rollout daemon --gate-token {variable}={host}"

    def token(self, variable: str, url: str) -> str:
        """Return the token. Raises PageUnavailable, with the variable's name only."""
        if refusal := self.token_refusal(variable, url):
            raise PageUnavailable(refusal)
        token = os.environ.get(variable, "").strip()
        SECRETS.note(token)
        if not token or not token.isascii() or not token.isprintable():
            raise PageUnavailable(f"the variable {variable} is not set to a usable token")
        return token


def _own(namespace: str) -> tuple[str, str]:
    """Return how Services of a namespace are called. `NAME.NAMESPACE` alone may be a name of the internet, too."""
    return f"*.{namespace}.svc", f"*.{namespace}.svc.cluster.local"
