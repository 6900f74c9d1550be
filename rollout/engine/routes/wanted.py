"""Which weight is wanted, and is it effective? A pure function of the status: recomputed at every turn."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.engine.effects import SetWeight
from rollout.engine.route_facts import OwnRoute, RouteFacts
from rollout.model.status.conversations import NO_PINS
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.model.units import FULL_BP

_RESTORING = (Phase.DRAINING, Phase.ROLLING_BACK, Phase.SUPERSEDING, Phase.STABLE, Phase.ROLLED_BACK)


def wanted_weight(status: Status) -> SetWeight | None:
    """Return the weight that the status asks for; None while stable is unknown."""
    if status.stable_version is None:
        return None
    bases = sorted(status.bases.items())
    restores = bool(status.bases) and status.phase in _RESTORING
    stable, candidate, weight_bp, header = status.stable_version, None, 0, None
    if status.phase is Phase.DRAINING and status.previous_version:
        stable, candidate, weight_bp, restores = status.previous_version, status.stable_version, FULL_BP, True
    elif status.phase is not Phase.STABLE and status.candidate_version is not None:
        traffic, candidate = status.latest.traffic, status.candidate_version
        weight_bp, header = traffic.wanted_bp, traffic.preview_header
    nothing_moved = candidate is not None and weight_bp == 0 and not restores  # they add up to what they did
    return SetWeight(
        stable,
        candidate,
        weight_bp,
        header,
        bases=() if nothing_moved else tuple((name, base.original if restores else base.used) for name, base in bases),
        restores=restores,
        pins=status.pins or NO_PINS,
        parts=tuple((name, version, of) for name, base in bases for version, of in sorted(base.parts.items())),
    )


def is_as_wanted(wanted: SetWeight, route: RouteFacts) -> bool:
    """Whether what is written in a route is what is wanted, taken up or not."""
    if isinstance(route, OwnRoute):
        written = (route.stable, route.candidate, route.weight_bp or 0, route.preview_header)
        return written == (wanted.stable, wanted.candidate, wanted.weight_bp, wanted.preview_header)
    shares = {wanted.stable: FULL_BP - wanted.weight_bp}
    if wanted.candidate not in (None, wanted.stable):
        shares[wanted.candidate] = wanted.weight_bp
    right = all(route.shares.get(version, 0) == share for version, share in shares.items())
    goes_back = wanted.restores and wanted.weight_bp == 0  # a candidate that is not listed gets nothing either
    present = goes_back or not route.managed or shares.keys() <= route.shares.keys()
    return right and present and (not wanted.restores or wanted.base_of(route.name) in (None, route.base))


def is_restored(wanted: SetWeight, routes: Iterable[RouteFacts], *, leaving: bool) -> bool:
    """Whether nothing of ours is left in any route.

    A route that is gone has nothing in it. What another rule's fault says of the whole route holds nothing up, and who
    carries routes out may be gone altogether.

    Args:
        leaving: whether nobody will look again: then what is written is enough.
    """
    left = [route for route in routes if not route.gone]
    return all(route.reachable and (route.accepted or leaving) and is_as_wanted(wanted, route) for route in left)


def is_effective(wanted: SetWeight, routes: Iterable[RouteFacts]) -> bool:
    """Whether the weights of every route are as wanted, and carried out."""
    return all(route.reachable and route.programmed and is_as_wanted(wanted, route) for route in routes)


def has_pins(wanted: SetWeight, routes: Iterable[RouteFacts]) -> bool:
    """Whether every route of our own keeps conversations as wanted; those of others have an effect of their own."""
    return all(route.pins == wanted.pins for route in routes if isinstance(route, OwnRoute) and route.reachable)
