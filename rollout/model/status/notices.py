"""What people are to be told of a release, until everybody who asked for it was."""

from datetime import datetime

from pydantic import Field

from rollout.model.base import Record
from rollout.model.notice_kinds import NoticeKind


class Notice(Record):
    """One thing to tell.

    Attributes:
        id: the same for the same thing, so that telling it twice is telling it once.
        pending: the targets that do not know of it yet, by name.
        deadline: until when that is tried.
        stable: the version that the release began from.
    """

    id: str
    kind: NoticeKind
    at: datetime
    deadline: datetime
    pending: tuple[str, ...]
    message: str
    stable: str = ""
    candidate: str = ""
    weight_bp: int = 0
    release: str = Field(default="", description="When the release began, in seconds: which one it is.")
