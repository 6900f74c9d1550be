"""The agent tells its contract itself, over HTTP: a few lines of ASGI, for FastAPI, Starlette and the like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from rollout.contracts.contract import Contract

PATH = "/.well-known/agent-state-contract"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class ServeContract:
    """ASGI middleware: answers one path with the contract, and hands everything else on.

    >>> app = ServeContract(app, export(graph, version="v2"))            # around any ASGI application
    >>> app.add_middleware(ServeContract, contract=export(graph))        # FastAPI, Starlette
    """

    def __init__(self, app: App, contract: Contract, path: str = PATH) -> None:
        self._app, self._path = app, path
        self._body = contract.canonical().encode()
        self._headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self._body)).encode()),
            (b"etag", f'"{contract.digest}"'.encode()),
        ]

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        asked = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] == self._path
        if not asked:
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self._body})
