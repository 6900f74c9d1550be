"""Who may come in: whoever has this process's token, or whoever has a token that the cluster knows."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

from rollout.dashboard.sessions import BY_HEADER, Session, Sessions
from rollout.dashboard.source import RolloutSource
from rollout.errors import Forbidden, InvalidInput, RolloutError

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]{8,16384}")
"""A bearer token (RFC 6750), or a bootstrap token of Kubernetes."""


class Authenticator(Protocol):
    """How one comes in."""

    @property
    def hint(self) -> str:
        """What somebody who is not signed in must do."""
        ...

    @property
    def by_address(self) -> bool:
        """Whether a token may come in the address; else it is asked for on a page."""
        ...

    @property
    def answers_hosts(self) -> frozenset[str] | None:
        """The names under which requests are answered; None: any."""
        ...

    def sign_in(self, token: str) -> Session:
        """Begin a session. Raises Forbidden."""
        ...

    def token_in(self, headers: Mapping[str, str]) -> str:
        """Return the token that a request brings along; nothing where it brings none."""
        ...

    def known(self, token: str) -> Session | None:
        """Return the session of requests that have brought this token before."""
        ...

    def by_token(self, token: str) -> Session:
        """Begin the session of requests that bring this token. Raises Forbidden."""
        ...


class OneToken:
    """One user, who has started the dashboard and was shown its token."""

    hint = "Open the address that `rollout dashboard` printed: it carries the token."
    by_address = True
    answers_hosts = frozenset({"127.0.0.1", "localhost", "::1"})
    """Whoever comes under another name was led here by somebody else's page (DNS rebinding)."""

    def __init__(self, source: RolloutSource, sessions: Sessions) -> None:
        self._source, self._sessions = source, sessions
        self.token = secrets.token_urlsafe(32)

    def sign_in(self, token: str) -> Session:
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            raise Forbidden("this is not the token of this dashboard. It has a new one after each start")
        return self._sessions.begin(self._source)

    def token_in(self, headers: Mapping[str, str]) -> str:  # noqa: ARG002  the token is in the address
        return ""

    def known(self, token: str) -> Session | None:  # noqa: ARG002  as above
        return None

    def by_token(self, token: str) -> Session:
        return self.sign_in(token)


class ClusterTokens:
    """Users of a cluster, each with a token of their own.

    Args:
        source_of: returns the cluster as the user of a token sees it.
        header: in which a proxy hands the user's token on, besides Authorization; empty: none.
    """

    hint = "Paste a token of the cluster, such as the output of `kubectl create token NAME`."
    by_address = False  # somebody else's link would sign its reader in as somebody else
    answers_hosts = None

    def __init__(self, source_of: Callable[[str], RolloutSource], sessions: Sessions, header: str = "") -> None:
        self._source_of, self._sessions, self._header = source_of, sessions, header

    def sign_in(self, token: str) -> Session:
        return self._begin(token.strip(), None)

    def token_in(self, headers: Mapping[str, str]) -> str:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = headers.get(self._header, "") if self._header else ""
        return token.strip()

    def known(self, token: str) -> Session | None:
        return self._sessions.get(_id_of(token))

    def by_token(self, token: str) -> Session:
        return self._begin(token, _id_of(token))

    def _begin(self, token: str, session_id: str | None) -> Session:
        if not _TOKEN.fullmatch(token):
            raise Forbidden("this is not a token")
        try:
            source = self._source_of(token)
            known = source.actor != "unknown"
        except InvalidInput:
            raise
        except RolloutError as error:
            raise Forbidden("the cluster does not know this token, or cannot be reached") from error
        if not known:
            raise Forbidden("the cluster does not know this token, or it has expired")
        return self._sessions.begin(source, session_id)


def _id_of(token: str) -> str:
    return BY_HEADER + hashlib.sha256(token.encode()).hexdigest()
