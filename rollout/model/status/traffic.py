"""What the status holds of traffic: the candidate's share, and the routes that were borrowed for it."""

from datetime import datetime
from typing import Literal, TypedDict, Unpack

from pydantic import Field

from rollout.model.base import Record
from rollout.model.status.vocabulary import Reason

Effective = Literal["confirmed", "unconfirmed", "refuted"]
"""Whether the requests show the weight."""


class Traffic(Record):
    """The candidate's share of new conversations: wanted, effective, and seen.

    drifts counts the foreign edits that were put back since the weight was last changed.

    Attributes:
        off_since: since when the route is not as wanted, or the requests refute it.
        preview_header: by which header the candidate can be reached before any user is on it; None where there is no
            preview.
    """

    wanted_bp: int = Field(default=0, description="The wanted weight, in basis points.")
    applied_bp: int | None = Field(default=None, description="The last weight that became effective, in basis points.")
    applied_at: datetime | None = Field(default=None, description="When it became effective.")
    asked_at: datetime | None = Field(default=None, description="When it was set.")
    off_since: datetime | None = Field(
        default=None, description="Since when the route is not as wanted, or the requests refute it."
    )
    drifts: int = Field(default=0, description="How often somebody else's edit was put back.")
    effective: Effective = Field(default="unconfirmed", description="Whether the requests show the weight.")
    preview_header: str | None = Field(
        default=None, description="The header by which a candidate that is previewed is reached."
    )

    def changed(self, **changes: "Unpack[TrafficChanges]") -> "Traffic":
        """Return it with other fields."""
        return self.model_copy(update=changes)


class TrafficChanges(TypedDict, total=False):
    """Fields of `Traffic` with new values. A test keeps the two equal."""

    wanted_bp: int
    applied_bp: int | None
    applied_at: datetime | None
    asked_at: datetime | None
    off_since: datetime | None
    drifts: int
    effective: Effective
    preview_header: str | None


class Base(Record):
    """What the two weights of a route add up to: as found before the rollout, and as used in it.

    Attributes:
        absent: the versions whose backend named no weight.
        parts: by version, the weights of its places, where its Service was listed more than once.
    """

    original: int
    used: int
    absent: tuple[str, ...] = ()
    parts: dict[str, tuple[int, ...]] = Field(default_factory=dict)


class RuleIdentity(Record):
    """Which rule of a route was chosen.

    Attributes:
        matches: a digest of what the rule matches.
        name: the rule's, if it has one.
        siblings: digests of the rules that stood beside it then: none of them is ever taken for it.
        route: the object that it stands in, where the named one delegates to it.
        protocol: the list that it stands in, where it is not the usual one: tls, tcp.
    """

    name: str = ""
    matches: str = ""
    siblings: tuple[str, ...] = ()
    route: str = ""
    protocol: str = ""


class RouteBlock(Record):
    """Why traffic cannot be moved where it must go.

    Attributes:
        since: when that began.
    """

    reason: Reason = Field(description="Why, as one word for programs.")
    message: str = Field(description="Why, in which route, and in the API server's words.")
    since: datetime = Field(description="Since when.")
