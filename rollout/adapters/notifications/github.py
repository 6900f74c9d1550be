"""GitHub deployments: one for each release, with a status that follows it.

A deployment is looked for before it is made, by what its payload says of the release: after a crash it is found again.
Source: https://docs.github.com/en/rest/deployments (2022-11-28)
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from rollout.adapters.http import Response, Services
from rollout.adapters.notifications.telling import Telling
from rollout.errors import PageUnavailable
from rollout.model.api.notifications import GitHubDeployment
from rollout.model.notice_kinds import NoticeKind
from rollout.model.units import expand

TIMEOUT_S = 10.0
ANSWER_MAX_BYTES = 1024 * 1024
DESCRIPTION_MAX = 140
TASK = "rollout"

STATES: dict[NoticeKind, str] = {
    "started": "in_progress",
    "stepPassed": "in_progress",
    "paused": "pending",
    "needsApproval": "pending",
    "resumed": "in_progress",
    "rollingBack": "failure",
    "rolledBack": "failure",
    "promoted": "success",
    "stuck": "error",
}
"""A drift is no state of a deployment: that stays as it is."""


def send(services: Services, declared: GitHubDeployment, token: str, telling: Telling) -> None:
    """Bring the status of a release's deployment up to date. Raises PageUnavailable where GitHub does not take it."""
    if telling.kind not in STATES:
        return
    api = _GitHub(services, declared, token, telling)
    deployment = api.find() or api.create()
    status = {
        "state": STATES[telling.kind],
        "description": _shortened(telling.message),
        "environment": declared.environment,
        **({"log_url": telling.link} if telling.link else {}),
    }
    api.ask("POST", f"deployments/{deployment}/statuses", status)


class _GitHub:
    def __init__(self, services: Services, declared: GitHubDeployment, token: str, telling: Telling) -> None:
        self._services, self._declared, self._telling = services, declared, telling
        names = {"name": telling.rollout, "namespace": telling.namespace, "version": telling.candidate}
        self._ref = expand(declared.ref, **names)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "agent-rollout",
        }

    def find(self) -> int | None:
        """Return the deployment of a release, if it was made already."""
        asked = {"ref": self._ref, "environment": self._declared.environment, "task": TASK}
        listed = self.ask("GET", f"deployments?{urlencode(asked)}", None)
        for deployment in listed if isinstance(listed, list) else ():
            payload = deployment.get("payload") if isinstance(deployment, dict) else None
            if isinstance(payload, dict) and payload.get("release") == _release(self._telling):
                return _number(deployment)
        return None

    def create(self) -> int:
        created = self.ask(
            "POST",
            "deployments",
            {
                "ref": self._ref,
                "environment": self._declared.environment,
                "task": TASK,
                "auto_merge": False,
                "required_contexts": [],  # what must be green before a release is the pipeline's business
                "description": _shortened(self._telling.title),
                "payload": {"release": _release(self._telling)},
            },
        )
        return _number(created)

    def ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """Return what GitHub answers. Raises PageUnavailable for anything but a success, with what to do about it."""
        repository = quote(self._declared.repository)
        url = f"{self._declared.api.rstrip('/')}/repos/{repository}/{path}"
        answer = self._services.ask(method, url, body, self._headers, TIMEOUT_S, ANSWER_MAX_BYTES)
        if not 200 <= answer.status < 300:
            raise PageUnavailable(f"GitHub answered {answer.status}{self._meaning(answer)}", answer.status)
        try:
            return json.loads(answer.text)
        except (ValueError, RecursionError):
            raise PageUnavailable("GitHub answered with something that is not JSON") from None

    def _meaning(self, answer: Response) -> str:
        repository, ref = self._declared.repository, self._ref
        meanings = {
            401: ": the token is not valid",
            403: f": the token may not write deployments of {repository}, or has asked too often",
            404: f": there is no {repository}, or the token may not see it",
            409: f": {ref} cannot be deployed: a merge would be needed",
            422: f": is {ref} a tag, branch or commit of {repository}?",
        }
        return meanings.get(answer.status, "")


def _number(deployment: Any) -> int:
    """Return which deployment it is. Raises PageUnavailable for what is none."""
    number = deployment.get("id") if isinstance(deployment, dict) else None
    if not isinstance(number, int):
        raise PageUnavailable("GitHub answered with something that is no deployment")
    return number


def _release(telling: Telling) -> str:
    return f"{telling.namespace}/{telling.rollout}/{telling.release}"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= DESCRIPTION_MAX else f"{text[: DESCRIPTION_MAX - 1]}…"
