"""Where rollouts are looked up and asked for things, whoever carries them out: a file here, or a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from rollout.model.rollout import Rollout
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.status import Status

if TYPE_CHECKING:
    from rollout.engine.facts import DrainOrder, Verb


@dataclass(frozen=True)
class Row:
    """One rollout as listed: what it is and who carries it out, if anybody does.

    Attributes:
        uid: which one it is; another of the same name has another.
        seen: whether its controller has seen what is declared now.
        problem: why it cannot be carried out as it is declared.
    """

    rollout: Rollout
    holder: str
    uid: str = ""
    seen: bool = True
    problem: str = ""


class RolloutStore(Protocol):
    """All rollouts of one place. Raises Unavailable where it cannot be read or written."""

    @property
    def poll_s(self) -> float:
        """How often it may be asked what is new."""
        ...

    def all(self) -> list[Row]: ...

    def get(self, name: str) -> Row | None: ...

    def decisions(self, name: str, *, samples: bool, limit: int, of: FinishedRelease | None = None) -> list[Decision]:
        """Return the newest decisions, oldest first; of: only those of one release."""
        ...

    def decisions_after(self, name: str, last: int) -> list[tuple[int, Decision]]:
        """Return the decisions after the one numbered `last`, each with its number, oldest first."""
        ...

    def last_decision(self, name: str) -> int: ...

    def releases(self, name: str, limit: int) -> list[FinishedRelease]: ...

    def append(
        self,
        name: str,
        verb: Verb,
        actor: str,
        reason: str,
        at: datetime,
        status: Status,
        drain: DrainOrder | None = None,
    ) -> str:
        """Ask for something, meant for the moment that `status` shows; return the command's id.

        Args:
            drain: what a `drain` is about.
        """
        ...

    def is_held(self, name: str) -> bool:
        """Whether somebody is there to answer a command."""
        ...
