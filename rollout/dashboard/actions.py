"""The actions: promote, pause, approve and the like, with the rights of whoever asks."""

from __future__ import annotations

import threading
from typing import get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rollout.dashboard.security import is_our_page
from rollout.dashboard.seen import moment_of
from rollout.dashboard.sessions import ActionResult, Session, Sessions
from rollout.dashboard.snapshots import Snapshots
from rollout.engine.facts import Verb
from rollout.errors import Busy, Forbidden, NotFound, RolloutError
from rollout.redaction import SECRETS

VERBS: dict[str, Verb] = {
    verb: verb for verb in get_args(Verb) if verb in ("promote", "approve", "pause", "resume", "abort")
}
REASON_MAX_CHARS = 500


class Actions:
    """Carries actions out, one at a time for a rollout."""

    def __init__(self, snapshots: Snapshots, sessions: Sessions) -> None:
        self.snapshots, self.sessions = snapshots, sessions
        self._busy: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def act(self, request: Request, session: Session, form: dict[str, str]) -> Response:
        """Give a command; the page that follows says what became of it. Raises Forbidden for a form not ours."""
        if not is_our_page(request) or not session.allows(form.get("csrf", "")):
            raise Forbidden(
                "this form was not made by this page, or the session is over: reload the page and try again"
            )
        verb = VERBS.get(request.path_params["verb"])
        if verb is None:
            raise NotFound(f"there is no action {request.path_params['verb']}")
        namespace, name = request.path_params["namespace"], request.path_params["name"]
        with self._lock:
            if (namespace, name) in self._busy:
                raise Busy(f"an action for {name} is under way: wait for its answer, and reload the page")
            self._busy.add((namespace, name))
        try:
            notice = self._ask(session, namespace, name, verb, form)
        finally:
            with self._lock:
                self._busy.discard((namespace, name))
        self.sessions.leave(session, notice)
        return RedirectResponse(f"/rollouts/{namespace}/{name}", status_code=303)

    def _ask(self, session: Session, namespace: str, name: str, verb: Verb, form: dict[str, str]) -> ActionResult:
        """Give the command, if the release is where it was when somebody decided; an abort is never late."""
        self.snapshots.forget()
        try:
            row = self.snapshots.row(session.source, namespace, name)
            if verb != "abort" and form.get("seen") != moment_of(row):
                return ActionResult(
                    f"{verb} was not given: the release has moved on since the page was made. See it first", ok=False
                )
            reason = _plain(form.get("reason", ""))[:REASON_MAX_CHARS]
            return ActionResult(session.source.ask(row, verb, reason), ok=True)
        except NotFound:
            raise
        except RolloutError as error:
            return ActionResult(SECRETS.redact(str(error)), ok=False)
        finally:
            self.snapshots.forget()


def _plain(text: str) -> str:
    """Return a text on one line that is shown as it is: a browser may send any character."""
    return "".join(char if char.isprintable() else " " for char in text).strip()
