"""A route as it is effective: one of our own, or somebody else's that is borrowed for a release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollout.model.status.conversations import NO_PINS, Pins
from rollout.model.status.traffic import RuleIdentity
from rollout.model.status.vocabulary import Reason
from rollout.model.units import FULL_BP


@dataclass(frozen=True, slots=True)
class AnyRoute:
    """What is known of every route.

    Attributes:
        reachable: whether the router answers.
        reason, problem: why not, or what is wrong with it all the same.
        active: requests under way by version, where the router counts them.
        gone: whether it is not there at all, so that nothing of ours is in it.
        programmed: whether whoever carries the route out says that it has taken it up, or says nothing.
        waiting: why not.
        accepted: whether it is carried out at all, though a reference in it may not resolve.
        denied: the API server's words, if it denied the last write.
        ports: by version, where its backend names a port.
        pins: which started conversations stay where by what is written; None where that is not as it was meant.
        unpinned: why conversations cannot be pinned in it, or are not yet.
        refuses_pins: whether waiting does not mend that.
    """

    name: str
    reachable: bool
    problem: str = ""
    reason: Reason = Reason.ROUTER_DOWN
    active: Mapping[str, int] = field(default_factory=dict)
    gone: bool = False
    programmed: bool = True
    accepted: bool = True
    waiting: str = ""
    denied: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    pins: Pins | None = NO_PINS
    unpinned: str = ""
    refuses_pins: bool = False


@dataclass(frozen=True, slots=True)
class OwnRoute(AnyRoute):
    """A route that is all ours.

    Attributes:
        stable, candidate: the versions it splits between.
        weight_bp: the candidate's weight, in basis points.
        preview_header: by which header the candidate can be reached beforehand, if it can.
    """

    stable: str | None = None
    candidate: str | None = None
    weight_bp: int | None = None
    preview_header: str | None = None

    @property
    def owner(self) -> str | None:
        """The version that has all the traffic, if one has."""
        if self.stable is None or self.weight_bp not in (None, 0, FULL_BP):
            return None
        return self.candidate if self.weight_bp == FULL_BP else self.stable


@dataclass(frozen=True, slots=True)
class BorrowedRoute(AnyRoute):
    """A route of somebody else's: only two weights in it are ours, and only during a release.

    Attributes:
        shares: what each version's backend gets, in basis points, also 0; nothing where it could not be read.
        rule: which rule was chosen.
        base: what the weights of our versions add up to.
        usual_base: what they are written on where that cannot express a step.
        absent: the versions whose backend names no weight.
        parts: by version, the weights of its places, where its Service is listed more than once.
        managed: whether a backend that is missing is added to it.
        missing: the versions that have none.
        owned: whether fields of the route are recorded as written by this controller.
        notes: what users should know before traffic moves.
        repeats: what lets an agent get one request twice.
        elsewhere: versions that other rules of the route send requests to.
        strays: versions whose traffic goes, in part, to another Service than theirs: both roles run them.
    """

    shares: Mapping[str, int] = field(default_factory=dict)
    rule: RuleIdentity | None = None
    base: int | None = None
    usual_base: int = 0
    absent: tuple[str, ...] = ()
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    managed: bool = False
    missing: tuple[str, ...] = ()
    owned: bool = False
    notes: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def owner(self) -> str | None:
        """The version that has all the traffic, if one has."""
        return next((version for version, share in self.shares.items() if share == FULL_BP), None)


RouteFacts = OwnRoute | BorrowedRoute


def borrowed(routes: Iterable[RouteFacts]) -> list[BorrowedRoute]:
    """Return those of the routes that are somebody else's."""
    return [route for route in routes if isinstance(route, BorrowedRoute)]
