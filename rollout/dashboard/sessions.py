"""Who is signed in: bounded in number and in time, and nothing of it outlives the process."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rollout.dashboard.source import RolloutSource
from rollout.engine.ports import Clock

SESSIONS_MAX = 256
SESSIONS_OF_ONE_MAX = 16
BY_HEADER = "header:"
"""How the ids of sessions begin whose requests bring their credential along: no cookie stands for one."""

LASTS = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of somebody's last action, shown once."""

    text: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Session:
    """One user in one browser.

    Attributes:
        csrf: what each form that changes something must carry.
    """

    id: str
    source: RolloutSource
    expires: datetime
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def allows(self, csrf: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """The sessions of one server, by their ids."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._notices: dict[str, ActionResult] = {}
        self._lock = threading.Lock()

    def begin(self, source: RolloutSource, session_id: str | None = None) -> Session:
        """Sign a user in; the oldest session makes room.

        Args:
            session_id: one that the caller derives from a credential; None: a new one.
        """
        now = self._clock.now()
        session = Session(session_id or secrets.token_urlsafe(32), source, now + LASTS)
        actor = source.actor
        with self._lock:
            own = [one for one, known in self._known.items() if known.source.actor == actor]
            for oldest in own[: max(0, len(own) - SESSIONS_OF_ONE_MAX + 1)]:  # nobody signs others out
                del self._known[oldest]
                self._notices.pop(oldest, None)
            self._known[session.id] = session
            while len(self._known) > SESSIONS_MAX:
                oldest, _ = self._known.popitem(last=False)
                self._notices.pop(oldest, None)
        return session

    def by_cookie(self, session_id: str) -> Session | None:
        """Return the session that a cookie stands for."""
        return None if session_id.startswith(BY_HEADER) else self.get(session_id)

    def get(self, session_id: str) -> Session | None:
        with self._lock:
            session = self._known.get(session_id)
            if session is not None and session.expires <= self._clock.now():
                del self._known[session_id]
                return None
            return session

    def end(self, session_id: str) -> None:
        with self._lock:
            self._known.pop(session_id, None)
            self._notices.pop(session_id, None)

    def leave(self, session: Session, notice: ActionResult) -> None:
        """Keep a notice for the next page of a session."""
        with self._lock:
            if session.id in self._known:
                self._notices[session.id] = notice

    def take(self, session: Session) -> ActionResult | None:
        """Return the notice that was left, once."""
        with self._lock:
            return self._notices.pop(session.id, None)
