"""The actions: promote, pause, approve and the like, with the rights of whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rollout.dashboard.security import is_our_page
from rollout.dashboard.sessions import Notice, Session, Sessions
from rollout.dashboard.snapshots import Snapshots
from rollout.engine.facts import Verb
from rollout.errors import Forbidden, NotFound, RolloutError
from rollout.redaction import SECRETS

VERBS: dict[str, Verb] = {
    verb: verb for verb in get_args(Verb) if verb in ("promote", "approve", "pause", "resume", "abort")
}
REASON_MAX_CHARS = 500


@dataclass(frozen=True)
class Actions:
    """Carries actions out."""

    snapshots: Snapshots
    sessions: Sessions

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
        self.snapshots.forget()
        try:
            row = self.snapshots.row(session.source, namespace, name)
            answer = session.source.ask(row, verb, form.get("reason", "")[:REASON_MAX_CHARS])
            notice = Notice(answer, ok=True)
        except NotFound:
            raise
        except RolloutError as error:
            notice = Notice(SECRETS.redact(str(error)), ok=False)
        self.snapshots.forget()
        self.sessions.leave(session, notice)
        return RedirectResponse(f"/rollouts/{namespace}/{name}", status_code=303)
