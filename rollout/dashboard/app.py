"""The dashboard as one ASGI application: who may come in, which page answers, and how a failure looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl

import anyio
import anyio.to_thread
import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp

from rollout import __version__
from rollout.dashboard.access import Authenticator
from rollout.dashboard.actions import Actions
from rollout.dashboard.changes import Changes
from rollout.dashboard.charts.band import band_chart
from rollout.dashboard.charts.evidence import evidence_chart, total_chart
from rollout.dashboard.charts.weight import weight_chart
from rollout.dashboard.pages import PageRenderer
from rollout.dashboard.security import NAME, SafeHeaders, cookie_of, host_of, is_our_page
from rollout.dashboard.sessions import Session, Sessions
from rollout.dashboard.snapshots import Snapshots
from rollout.engine import messages
from rollout.engine.ports import Clock
from rollout.errors import Forbidden, InvalidInput, NotFound, RolloutError, Unavailable
from rollout.redaction import SECRETS

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_HERE = Path(__file__).parent
FORM_MAX_BYTES = 32_768
FIELDS_MAX = 8
WAITING_MAX = 16
"""So many sign-ins wait for an API server at once, and so many actions for a controller: pages wait for neither."""

Handler = Callable[[Request, Session], Response]


@dataclass(frozen=True)
class Dashboard:
    """The application, and what ends its streams."""

    asgi: ASGIApp
    changes: Changes


def dashboard(access: Authenticator, sessions: Sessions, clock: Clock) -> Dashboard:
    """Return the dashboard for those whom `access` lets in."""
    snapshots = Snapshots(monotonic)
    templates = _templates()
    pages = PageRenderer(templates, snapshots, sessions, clock)
    changes = Changes(snapshots, sessions)
    door = _Door(access, sessions, templates)
    actions = Actions(snapshots, sessions)
    one = "/rollouts/{namespace}/{name}"
    routes = [
        Route("/", door.guarded(pages.everything)),
        Route("/healthz", _healthy),
        Route("/sign-in", door.sign_in, methods=["GET", "POST"]),
        Route("/sign-out", door.sign_out, methods=["POST"]),
        Route("/events", door.guarded(changes.stream)),
        Route(one + "/events", door.guarded(changes.stream)),
        Route(one, door.guarded(pages.one)),
        Route(one + "/releases/{number}", door.guarded(pages.over)),
        Route(one + "/{verb}", door.acting(actions), methods=["POST"]),
        Mount("/static", StaticFiles(directory=_HERE / "static"), name="static"),
    ]
    handlers: dict[Any, Any] = {
        RolloutError: door.failed,
        HTTPException: door.refused,
        Exception: door.broken,
    }
    return Dashboard(SafeHeaders(Starlette(routes=routes, exception_handlers=handlers)), changes)


class _Door:
    """Lets requests in that somebody has signed in for, and says why where it does not."""

    def __init__(self, access: Authenticator, sessions: Sessions, templates: Jinja2Templates) -> None:
        self._access, self._sessions, self._templates = access, sessions, templates
        self._signing_in, self._acting = (anyio.CapacityLimiter(WAITING_MAX) for _ in range(2))

    def guarded(self, handler: Handler) -> Callable[[Request], Any]:
        """Return an endpoint that answers those who are signed in."""

        async def endpoint(request: Request) -> Response:
            self._check_host(request)
            _check_names(request)
            token = request.query_params.get("token")
            if token is not None and self._access.by_address:  # out of the address at once: it stays in the history
                return await self._enter(request, token)
            session = await self._session(request)
            if session is None:
                return self._sign_in_page(request, "", 401)
            return await run_in_threadpool(handler, request, session)

        return endpoint

    def acting(self, actions: Actions) -> Callable[[Request], Any]:
        """Return the endpoint of the actions."""

        async def endpoint(request: Request) -> Response:
            self._check_host(request)
            _check_names(request)
            form = await _form(request)
            session = await self._session(request)
            if session is None:
                return self._sign_in_page(request, "", 401)
            return await anyio.to_thread.run_sync(actions.act, request, session, form, limiter=self._acting)

        return endpoint

    async def sign_in(self, request: Request) -> Response:
        self._check_host(request)
        if request.method == "GET":
            return self._sign_in_page(request, "", 200)
        form = await _form(request)
        if not is_our_page(request):
            return self._sign_in_page(request, "this form was not made by this page", 403)
        return await self._enter(request, form.get("token", ""))

    async def sign_out(self, request: Request) -> Response:
        self._check_host(request)
        form = await _form(request)
        session = self._sessions.by_cookie(request.cookies.get(cookie_of(request), ""))
        if session is None or not is_our_page(request) or not session.allows(form.get("csrf", "")):
            return self._error_page(request, 403, "This form was not made by this page: reload it and try again.")
        self._sessions.end(session.id)
        answer = RedirectResponse("/sign-in", status_code=303)
        answer.delete_cookie(cookie_of(request))
        return answer

    async def _enter(self, request: Request, token: str) -> Response:
        try:
            session = await anyio.to_thread.run_sync(self._access.sign_in, token, limiter=self._signing_in)
        except Forbidden as error:
            return self._sign_in_page(request, str(error), 403)
        answer = RedirectResponse(request.url.path if request.method == "GET" else "/", status_code=303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(cookie_of(request), session.id, httponly=True, samesite="lax", secure=secure)
        return answer

    async def _session(self, request: Request) -> Session | None:
        """Return whose request it is. Only a token that was never seen asks the API server, and waits for it."""
        token = self._access.token_in(request.headers)
        if not token:
            return self._sessions.by_cookie(request.cookies.get(cookie_of(request), ""))
        known = self._access.known(token)
        return known or await anyio.to_thread.run_sync(self._access.by_token, token, limiter=self._signing_in)

    def _check_host(self, request: Request) -> None:
        names = self._access.answers_hosts
        if names is not None and host_of(request) not in names:
            raise HTTPException(421, "this dashboard answers on this machine's own address only")

    def _sign_in_page(self, request: Request, problem: str, status: int) -> Response:
        context = {"hint": self._access.hint, "problem": problem, "asks": not self._access.by_address}
        return self._templates.TemplateResponse(request, "sign-in.html", context, status_code=status)

    def _error_page(self, request: Request, status: int, message: str) -> Response:
        context = {"status": status, "message": message}
        return self._templates.TemplateResponse(request, "error.html", context, status_code=status)

    def failed(self, request: Request, error: RolloutError) -> Response:
        """Say what went wrong, in our own words."""
        kinds: tuple[tuple[type[RolloutError], int], ...] = (
            (Forbidden, 403), (NotFound, 404), (InvalidInput, 400), (Unavailable, 503),
        )  # fmt: skip
        status = next((code for kind, code in kinds if isinstance(error, kind)), 500)
        return self._error_page(request, status, SECRETS.redact(str(error)))

    def refused(self, request: Request, error: HTTPException) -> Response:
        message = "There is no such page." if error.status_code == 404 else error.detail
        return self._error_page(request, error.status_code, message)

    def broken(self, request: Request, error: Exception) -> Response:
        """Log a fault of ours; the page does not quote it."""
        _LOG.error("a page could not be made", path=request.url.path, exc_info=error)
        return self._error_page(request, 500, "The page could not be made. The dashboard's log says why.")


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _check_names(request: Request) -> None:
    """Refuse what cannot be the name of anything: it would become part of a path. Raises HTTPException."""
    parts = {
        **request.path_params,
        **({"namespace": request.query_params["namespace"]} if "namespace" in request.query_params else {}),
    }
    if any(parts.get(name) and not NAME.fullmatch(str(parts[name])) for name in ("namespace", "name")):
        raise HTTPException(404)


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form of bounded size. Raises HTTPException."""
    size = request.headers.get("content-length", "")
    if not size.isdigit() or int(size) > FORM_MAX_BYTES:
        raise HTTPException(413, f"a form of at most {FORM_MAX_BYTES} bytes is expected")
    try:
        return dict(parse_qsl((await request.body()).decode(), max_num_fields=FIELDS_MAX, keep_blank_values=True))
    except ValueError as error:
        raise HTTPException(400, "this is not a form that a page of ours sends") from error


def _templates() -> Jinja2Templates:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"span": messages.span, "weight": messages.weight, "percent": messages.percent}
    environment.filters |= {"evidence": messages.evidence, "rate": lambda pair: messages.rate(*pair)}
    environment.globals |= {
        "weight_chart": weight_chart,
        "band_chart": band_chart,
        "evidence_chart": evidence_chart,
        "total_chart": total_chart,
        "version": __version__,
    }
    return Jinja2Templates(env=environment)
