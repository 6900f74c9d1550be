"""ASGI middleware: what begins here is given its pin, and conversations are counted."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from rollout.agent.conversations import OpenConversations
from rollout.agent.threads import new_thread_id, version_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

CENSUS_PATH = "/.well-known/agent-conversations"
OUTCOME = "x-conversation"
"""A response header by which the application ends a conversation: `finished` or `failed`. It is not sent on."""

_ENDS = {"finished": False, "failed": True}


class PinMiddleware:
    """Around an ASGI application: sets the pin of conversations that begin here, and counts them.

    A conversation begins where a request has no pin. A pin of another version is left alone: this version answers, and
    the client keeps what it has.
    """

    def __init__(
        self,
        app: Application,
        version: str,
        *,
        header: str = "x-agent-version",
        cookie: str | None = None,
        thread_header: str = "x-thread-id",
        thread_ids: bool = False,
        conversations: OpenConversations | None = None,
        census_path: str = CENSUS_PATH,
    ) -> None:
        """Wrap an application.

        Args:
            header: the pin, in requests and responses (`conversations.pin.header`).
            cookie: a cookie to pin by in place of it (`conversations.pin.cookie`).
            thread_header: the header with the conversation's id (`conversations.pinBy`).
            thread_ids: whether a request without an id is given one that begins with the version
                (`conversations.pin.threadId`). The application sees it in the request, the client in the response.
            conversations: who counts; None for nobody.
            census_path: where the number of open ones is answered.
        """
        self._app, self._version = app, version
        self._header, self._cookie = header.lower(), cookie
        self._thread_header, self._thread_ids = thread_header.lower(), thread_ids
        self._conversations, self._census_path = conversations, census_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope.get("path") == self._census_path and self._conversations is not None:
            await _answer(send, {"version": self._version, "open": self._conversations.count()})
        else:
            await self._conversation(scope, receive, send)

    async def _conversation(self, scope: Scope, receive: Receive, send: Send) -> None:
        thread, given = _value(scope["headers"], self._thread_header), {}
        pin = self._pin(scope["headers"], thread)
        if thread is None and self._thread_ids:
            thread = given[self._thread_header] = new_thread_id(self._version)
            scope = {**scope, "headers": [*scope["headers"], (self._thread_header.encode(), thread.encode())]}
        if pin is None and not self._thread_ids:
            given |= self._new_pin()
        if thread is not None and self._conversations is not None:
            self._conversations.turn(thread, begins=pin is None)

        async def pinned(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message = {**message, "headers": self._answered(message.get("headers") or (), given, thread)}
            await send(message)

        await self._app(scope, receive, pinned)

    def _pin(self, headers: Iterable[tuple[bytes, bytes]], thread: str | None) -> str | None:
        """Return the version that a request is pinned to; None for a conversation that begins."""
        if self._thread_ids:
            return version_of(thread) if thread is not None else None
        if self._cookie is None:
            return _value(headers, self._header)
        jar: SimpleCookie = SimpleCookie()
        for text in _values(headers, "cookie"):
            try:
                jar.load(text)
            except CookieError:
                continue  # somebody else's cookie is none of ours
        return jar[self._cookie].value if self._cookie in jar else None

    def _new_pin(self) -> dict[str, str]:
        if self._cookie is None:
            return {self._header: self._version}
        return {"set-cookie": f"{self._cookie}={self._version}; Path=/; HttpOnly; SameSite=Lax"}

    def _answered(self, headers: Iterable[tuple[bytes, bytes]], given: dict[str, str], thread: str | None) -> Headers:
        """Return a response's headers, with what the conversation is given; an outcome is taken in, and not sent on."""
        kept = [(name, value) for name, value in headers if name.decode("latin-1").lower() != OUTCOME]
        outcome = _value(headers, OUTCOME)
        if outcome in _ENDS and thread is not None and self._conversations is not None:
            self._conversations.finish(thread, failed=_ENDS[outcome])
        present = {name.decode("latin-1").lower() for name, _ in kept} - {"set-cookie"}
        added = [(name.encode(), value.encode()) for name, value in given.items() if name not in present]
        return [*kept, *added]


def _values(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    wanted = name.encode()
    return [value.decode("latin-1") for key, value in headers if key.lower() == wanted]


def _value(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    return next(iter(_values(headers, name)), None)


async def _answer(send: Send, body: object) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
