"""Bearer tokens for webhooks, from the environment: each goes to the hosts that the operator has listed for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from rollout.adapters.hosts import host_of, is_allowed
from rollout.errors import PageUnavailable
from rollout.redaction import SECRETS


@dataclass(frozen=True)
class Tokens:
    """What policies may send away of the environment.

    Attributes:
        hosts: by the name of a variable, the hosts that it may be sent to. None on one machine: whoever writes a policy
            there runs it with their own environment.
    """

    hosts: Mapping[str, tuple[str, ...]] | None = None

    def refusal(self, variable: str, url: str) -> str:
        """Return why a variable is not sent to a URL; empty if it may be."""
        if self.hosts is None or is_allowed(url, self.hosts.get(variable, ())):
            return ""
        host = host_of(url) or "that host"
        message = f"the operator has not listed {variable} for {host}, so it is not sent there"
        return f"{message}: rollout daemon --gate-token {variable}={host}"

    def read(self, variable: str, url: str) -> str:
        """Return the token. Raises PageUnavailable, with the variable's name only."""
        if refusal := self.refusal(variable, url):
            raise PageUnavailable(refusal)
        token = os.environ.get(variable, "").strip()
        SECRETS.note(token)
        if not token or not token.isascii() or not token.isprintable():
            raise PageUnavailable(f"the variable {variable} is not set to a usable token")
        return token
