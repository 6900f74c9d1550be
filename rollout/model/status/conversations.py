"""What the status holds of conversations: which stay where, and which versions are drained."""

from datetime import datetime
from typing import Literal, TypedDict, Unpack

from pydantic import Field

from rollout.model.base import Record


class Pins(Record):
    """Which started conversations stay where, whatever the weight."""

    versions: tuple[str, ...] = Field(default=(), description="The versions that keep the conversations they began.")
    started: str | None = Field(
        default=None, description="The version that gets started conversations without a pin; none: they are split."
    )

    def __bool__(self) -> bool:
        return bool(self.versions or self.started)

    def __str__(self) -> str:
        rest = f", started ones without a pin go to {self.started}" if self.started else ""
        return f"conversations stay on {', '.join(self.versions) or 'no version'}{rest}"


NO_PINS = Pins.model_construct()


class Draining(Record):
    """A version that gets no new conversations, and keeps those it has until they end.

    Attributes:
        may_move: as the contracts said when it lost.
    """

    since: datetime = Field(description="Since when.")
    deadline: datetime | None = Field(default=None, description="Until when its conversations are waited for.")
    then: Literal["keep", "handOver", "end"] = Field(default="keep", description="What follows at the deadline.")
    open: int | None = Field(default=None, description="How many of its conversations are open, if that is known.")
    problem: str = Field(default="", description="Why they cannot be counted.")
    late: bool = Field(default=False, description="Whether the deadline has passed, and they are kept.")
    done: bool = Field(default=False, description="Whether it is over, and what refers to the version is taken out.")
    may_move: bool = Field(default=False, description="Whether the stable version can go on with its conversations.")
    was_stable: bool = Field(default=False, description="Whether it was the version in use before.")
    scales_down: bool = Field(default=False, description="Whether it is scaled to 0 once nothing refers to it.")
    was_woken: bool = Field(default=False, description="Whether it was scaled up for the release that it lost.")
    empty_since: datetime | None = Field(default=None, description="Since when none of its conversations is open.")
    unready_since: datetime | None = Field(default=None, description="Since when it does not answer.")
    asked_at: datetime | None = Field(default=None, description="Since when it is asked to run no replicas.")

    def changed(self, **changes: "Unpack[DrainingChanges]") -> "Draining":
        """Return it with other fields."""
        return self.model_copy(update=changes)


class DrainingChanges(TypedDict, total=False):
    """Fields of `Draining` with new values. A test keeps the two equal."""

    since: datetime
    deadline: datetime | None
    then: Literal["keep", "handOver", "end"]
    open: int | None
    problem: str
    late: bool
    done: bool
    may_move: bool
    was_stable: bool
    scales_down: bool
    was_woken: bool
    empty_since: datetime | None
    unready_since: datetime | None
    asked_at: datetime | None
