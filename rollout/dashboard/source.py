"""Where the dashboard's rollouts come from, and who acts on them: this machine, or a cluster with one user's rights."""

from __future__ import annotations

from typing import Protocol

from rollout.adapters.storage.base import RolloutStore, Row
from rollout.engine.facts import Verb

ANSWER_TIMEOUT_S = 10.0
"""So long a page waits for a controller's answer to a command."""


class RolloutSource(Protocol):
    """Rollouts as one user may see and steer them. Raises RolloutError."""

    @property
    def label(self) -> str:
        """What is shown: the state directory, or the cluster."""
        ...

    @property
    def poll_s(self) -> float:
        """How old an answer may be that pages share, and how often an open page asks whether something has changed."""
        ...

    @property
    def actor(self) -> str:
        """The name that is recorded with each command."""
        ...

    def all(self, namespace: str | None = None) -> list[Row]:
        """Return the rollouts of a namespace; None: of all that are meant."""
        ...

    def store(self, namespace: str) -> RolloutStore:
        """Return the store in which a rollout of this namespace is."""
        ...

    def ask(self, row: Row, verb: Verb, reason: str) -> str:
        """Give a command and wait; return what became of it. Raises RolloutError where it was refused."""
        ...
