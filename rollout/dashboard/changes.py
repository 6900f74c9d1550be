"""Server-sent events: a page learns that what it shows has changed, and asks for itself again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from rollout.dashboard.seen import digest_of, digest_of_all
from rollout.dashboard.sessions import Session, Sessions
from rollout.dashboard.snapshots import Snapshots
from rollout.errors import RolloutError

STREAMS_MAX = 64
HEARTBEATS_S = 15.0
LASTS_S = 900.0
"""A stream ends after this long; the browser opens another one."""


@dataclass
class Changes:
    """Streams of changes, bounded in number and in time."""

    snapshots: Snapshots
    sessions: Sessions
    open: set[object] = field(default_factory=set)
    ending: bool = field(default=False)

    def stream(self, request: Request, session: Session) -> Response:
        """Return a stream about one rollout, or about all."""
        if self.ending:
            return _refused()
        namespace, name = request.path_params.get("namespace"), request.path_params.get("name")
        wanted = request.query_params.get("namespace") or None

        def state() -> str:
            if name is not None and namespace is not None:
                return digest_of(self.snapshots.row(session.source, namespace, name))
            return digest_of_all(self.snapshots.all(session.source, wanted))

        return EventStream(self, self._events(request, session, state))

    async def _events(self, request: Request, session: Session, state: Callable[[], str]) -> AsyncIterator[str]:
        poll_s = session.source.poll_s
        before, quiet_s = "", 0.0
        for _ in range(int(LASTS_S / poll_s)):
            if self.ending or self.sessions.get(session.id) is None or await request.is_disconnected():
                return
            try:
                now = await anyio.to_thread.run_sync(state)
            except RolloutError:
                now = "unavailable"  # the page that is asked for then says why
            if now != before:
                yield f"event: changed\ndata: {now}\n\n"
                before, quiet_s = now, 0.0
            elif quiet_s >= HEARTBEATS_S:
                yield ": still here\n\n"
                quiet_s = 0.0
            quiet_s += poll_s
            await anyio.sleep(poll_s)


class EventStream(StreamingResponse):
    """A stream that is counted from its first byte to its last."""

    def __init__(self, changes: Changes, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Answer, unless there are too many already: it is counted on the loop, where nobody comes between."""
        if len(self._changes.open) >= STREAMS_MAX:
            await _refused()(scope, receive, send)
            return
        self._changes.open.add(self)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._changes.open.discard(self)


def _refused() -> Response:
    return PlainTextResponse("too many open pages: this one is read again every few seconds\n", 503)
