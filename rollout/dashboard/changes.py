"""Server-sent events: a page learns that what it shows has changed, and asks for itself again."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from rollout.dashboard.sessions import Session
from rollout.dashboard.snapshots import Snapshots
from rollout.errors import RolloutError
from rollout.views.listing import listed

STREAMS_MAX = 64
HEARTBEATS_S = 15.0
LASTS_S = 900.0
"""A stream ends after this long; the browser opens another one."""


@dataclass
class Changes:
    """Streams of changes, bounded in number and in time."""

    snapshots: Snapshots
    open: int = field(default=0)
    ending: bool = field(default=False)

    def stream(self, request: Request, session: Session) -> Response:
        """Return a stream about one rollout, or about all."""
        if self.open >= STREAMS_MAX or self.ending:
            return PlainTextResponse("too many open pages: this one is read again every few seconds\n", 503)
        namespace, name = request.path_params.get("namespace"), request.path_params.get("name")
        wanted = request.query_params.get("namespace") or None

        def state() -> str:
            if name is not None and namespace is not None:
                row = self.snapshots.row(session.source, namespace, name)
                return _digest(row.rollout.status.model_dump_json() + row.problem + row.holder)
            rows = self.snapshots.all(session.source, wanted)
            return _digest(repr(listed((row.rollout, row.problem) for row in rows)))

        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._events(request, state, session.source.poll_s), media_type="text/event-stream", headers=headers
        )

    async def _events(self, request: Request, state: Callable[[], str], poll_s: float) -> AsyncIterator[str]:
        self.open += 1
        try:
            before, quiet_s = "", 0.0
            for _ in range(int(LASTS_S / poll_s)):
                if self.ending or await request.is_disconnected():
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
        finally:
            self.open -= 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
