"""What a notification says: the same for a chat, a program and GitHub."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollout.engine import messages
from rollout.model.api.notifications import Notifications
from rollout.model.notice_kinds import NoticeKind
from rollout.model.rollout import Rollout
from rollout.model.status.notices import Notice
from rollout.model.units import expand
from rollout.redaction import SECRETS

HEADINGS: dict[NoticeKind, str] = {
    "started": "release of {candidate} started",
    "stepPassed": "{candidate} passed a step",
    "paused": "release of {candidate} is paused",
    "needsApproval": "{candidate} needs an approval",
    "resumed": "release of {candidate} goes on",
    "rollingBack": "{candidate} is being rolled back",
    "rolledBack": "{candidate} was rolled back",
    "promoted": "{candidate} is promoted",
    "drift": "somebody has changed {candidate} or its traffic",
    "stuck": "traffic cannot be moved",
}


@dataclass(frozen=True, slots=True)
class Telling:
    """One notice, as it is told to anybody.

    Attributes:
        id: for whoever is told twice.
        source: which rollout it is, as a path.
        release: which release of it.
    """

    id: str
    kind: NoticeKind
    at: datetime
    namespace: str
    rollout: str
    stable: str
    candidate: str
    weight_bp: int
    message: str
    link: str
    release: str

    @property
    def source(self) -> str:
        return f"/namespaces/{self.namespace}/rollouts/{self.rollout}"

    @property
    def title(self) -> str:
        return f"{self.rollout}: {HEADINGS[self.kind].format(candidate=self.candidate or 'the candidate')}"

    @property
    def text(self) -> str:
        """The reason, then where to look."""
        return "\n".join(part for part in (self.message, self.link) if part)

    def data(self) -> dict[str, Any]:
        """Return it as plain data, for programs."""
        return {
            "event": self.kind,
            "rollout": self.rollout,
            "namespace": self.namespace,
            "stable": self.stable,
            "candidate": self.candidate,
            "weight": messages.weight(self.weight_bp).replace(" ", ""),
            "message": self.message,
            **({"link": self.link} if self.link else {}),
        }


def telling(rollout: Rollout, notice: Notice, notifications: Notifications) -> Telling:
    """Return what a notice says, without the secrets that this process knows."""
    name, namespace = rollout.metadata.name, rollout.metadata.namespace
    link = expand(notifications.link or "", name=name, namespace=namespace, version=notice.candidate)
    return Telling(
        id=f"{namespace}/{name}/{notice.id}",
        kind=notice.kind,
        at=notice.at,
        namespace=namespace,
        rollout=name,
        stable=notice.stable,
        candidate=notice.candidate,
        weight_bp=notice.weight_bp,
        message=SECRETS.redact(notice.message),
        link=link,
        release=notice.release,
    )
