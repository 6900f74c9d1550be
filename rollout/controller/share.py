"""Which rollouts one controller carries out: all that it watches, or a share of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Share(Protocol):
    """The rollouts of one controller, by their keys."""

    def shard_of(self, key: str) -> int:
        """Return which shard a rollout is of."""
        ...

    def carries(self, key: str) -> bool:
        """Whether a turn may begin."""
        ...

    def may_write(self, key: str) -> bool:
        """Whether a turn may write: asked before each write."""
        ...

    def lease_of(self, key: str) -> str:
        """Return the lease that a rollout is carried out by, as `namespace/name`; empty: none."""
        ...


@dataclass(frozen=True)
class All:
    """All rollouts, for as long as somebody says so.

    Attributes:
        leads: whether anything may be written.
        lease: by which it leads.
    """

    leads: Callable[[], bool]
    lease: str = ""

    def shard_of(self, key: str) -> int:
        del key
        return 0

    def carries(self, key: str) -> bool:
        del key
        return True

    def may_write(self, key: str) -> bool:
        del key
        return self.leads()

    def lease_of(self, key: str) -> str:
        del key
        return self.lease
