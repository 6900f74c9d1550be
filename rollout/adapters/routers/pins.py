"""What the pins of a rule are, however they are written; and those of connections, in which there can be none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import Rule
from rollout.model.status.conversations import NO_PINS, Pins


@dataclass(frozen=True, slots=True)
class SeenPins:
    """What is known of the pins of a rule.

    Attributes:
        pins: those that are written; None where they are not as they were meant.
        waiting: why they are not effective yet.
        refused: why there can be none.
    """

    pins: Pins | None
    waiting: str = ""
    refused: str = ""


class RoutePins(Protocol):
    """The pins of one rule."""

    def seen(self, route: Object, rule: Rule, needed: Pins) -> SeenPins:
        """Return what is written, and whether what is needed can be."""
        ...

    def left(self, route: Object | None) -> Pins | None:
        """Return what is written where there is no rule to look at: NO_PINS if nothing is, else None."""
        ...

    def write(self, route: Object, rule: Rule, pins: Pins) -> None:
        """Bring the pins to what is wanted. Idempotent. Raises ClusterUnavailable and its children."""
        ...

    def clear(self, route: Object | None) -> None:
        """Take out what is written, whatever became of the rule. Idempotent. Raises likewise."""
        ...


@dataclass(frozen=True, slots=True)
class NoPins:
    """The pins of connections, in which nothing can be read.

    Attributes:
        protocol: theirs, for messages.
    """

    protocol: str

    def seen(self, route: Object, rule: Rule, needed: Pins) -> SeenPins:
        del route, rule, needed
        remedy = "leave conversations.pin out, or split http"
        return SeenPins(
            NO_PINS, refused=f"nothing in a connection of {self.protocol} tells conversations apart: {remedy}"
        )

    def left(self, route: Object | None) -> Pins | None:
        del route
        return NO_PINS

    def write(self, route: Object, rule: Rule, pins: Pins) -> None:
        """Write nothing: there is nothing to write."""

    def clear(self, route: Object | None) -> None:
        """Take out nothing: nothing was written."""
