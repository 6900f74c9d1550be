"""What belongs to others and is only borrowed: a rule and the base of its weights, the fields of a route, a sleeping
version's replicas, and what the versions are made of.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.engine import words
from rollout.engine.draft import Draft
from rollout.engine.facts import RouteFacts
from rollout.engine.route import Effect, LeaveRoute, SetWeight, Wake, is_as_wanted
from rollout.model.status import Base, Phase, Reason
from rollout.model.units import FULL_BP

FINEST_BASE = FULL_BP
"""A base that expresses every weight that can be written."""

WARNINGS_KEPT = 16

_AT_REST = (Phase.STABLE, Phase.ROLLED_BACK)


def note_routes(draft: Draft) -> None:
    """Remember which rule was chosen, what its weights add up to before we change them, and what users should know.

    The rule is chosen while nothing has moved; from then on it is found by its identity, never chosen again.
    """
    status = draft.status
    left = not any(route.owned for route in draft.facts.routes)
    if status.phase in _AT_REST and status.bases and left and not draft.decisions:  # they are restored
        draft.update(bases={})
    if status.phase not in (Phase.PREFLIGHT, *_AT_REST):
        return
    adopted = [route for route in draft.facts.routes if route.is_adopted and route.reachable]
    chosen = {route.name: route.rule for route in adopted if route.rule is not None}
    kept = {name: rule for name, rule in status.rules.items() if name in {each.name for each in draft.facts.routes}}
    if {**kept, **chosen} != status.rules and draft.facts.routes:
        draft.update(rules={**kept, **chosen})
    if status.phase is Phase.PREFLIGHT:
        _note_bases(draft, adopted)
        notes = tuple(f"{route.name}: {note}" for route in adopted for note in route.notes)[:WARNINGS_KEPT]
        if notes != status.warnings:
            draft.update(warnings=notes)
            for note in notes:
                draft.record("traffic", message=note)


def _note_bases(draft: Draft, adopted: Iterable[RouteFacts]) -> None:
    status = draft.status
    weights = [step.weight_bp for step in draft.way.steps]
    bases = dict(status.bases)
    for route in adopted:
        if not route.base:
            continue
        absent = bases[route.name].absent if route.name in bases else route.absent  # adding a backend writes weights
        used = _base_for(weights, route.base, route.usual_base)
        bases[route.name] = Base(original=route.base, used=used, absent=absent)
    if bases != status.bases:
        draft.update(bases=bases)


def _base_for(weights_bp: Iterable[int], original: int, usual: int) -> int:
    """Return the first base on which every step is a whole number: the one found, the usual one, the finest."""
    bases = (original, usual, FINEST_BASE)
    return next(base for base in bases if base > 0 and all(bp * base % FULL_BP == 0 for bp in weights_bp))


def add_backends(draft: Draft, wanted: SetWeight) -> tuple[SetWeight, ...]:
    """Add the candidate's backend, at weight 0, to the routes that allow it; record first in which it was added.

    Only once everything else in the preflight has passed: a reference to what is not there breaks a whole rule.
    """
    candidate = wanted.candidate
    lacking = [route for route in draft.facts.routes if route.managed and candidate in route.missing]
    if candidate is None or not lacking or draft.status.reason is not Reason.BACKEND_UNLISTED:
        return ()
    added = dict(draft.status.added)
    for route in lacking:
        added[route.name] = tuple(dict.fromkeys((*added.get(route.name, ()), candidate)))
    if added != draft.status.added:
        draft.update(added=added)
        draft.record("traffic", message=f"{candidate} gets a backend at weight 0 in {_names(lacking)}")
    return (wanted,)


def wake(draft: Draft) -> tuple[Effect, ...]:
    """Wake the candidate up before any traffic, where nobody else scales it."""
    status = draft.status
    candidate, stable = status.candidate_version, status.stable_version
    if status.phase is not Phase.PREFLIGHT or candidate is None or stable is None:
        return ()
    if candidate not in draft.facts.asleep:
        return ()
    if status.woken != candidate:
        draft.update(woken=candidate)
        draft.record("traffic", message=f"{candidate} sleeps at 0 replicas and is woken up")
    return (Wake(candidate, stable),)


def note_identities(draft: Draft) -> None:
    """Take down what both versions are made of during the checks; notice when one changes under the rollout."""
    status, found = draft.status, draft.facts.identities
    if status.phase is Phase.PREFLIGHT:
        fresh = {version: dict(parts) for version, parts in found.items()}
        if fresh and fresh != status.identities:
            draft.update(identities=fresh, identity_drift="")
        return
    if not status.is_active or not found:
        return
    changed = []
    for version, parts in found.items():
        before = status.identities.get(version)
        if before is not None and before != dict(parts):
            named = sorted(part for part in {*before, *parts} if before.get(part) != parts.get(part))
            changed.append(f"{version}: {words.listed(named)}")
    drift = "; ".join(changed)
    if drift != status.identity_drift:
        draft.update(identity_drift=drift)
        told = f"a version is not what it was when the checks began: {drift}" if drift else "the versions are as before"
        draft.record("traffic", message=told)


def removable(draft: Draft) -> bool:
    """Whether backends that were added are still listed, for a rollout that is going for good."""
    return any(_over(draft, route) for route in draft.facts.routes)


def leave(draft: Draft, wanted: SetWeight | None) -> tuple[Effect, ...]:
    """Leave the routes: take out the added backends that are over, and let go of the fields, once nothing is under way.

    A backend is struck off once it was seen to be gone: nobody who puts it back after that is fought.
    """
    if wanted is None:
        return ()
    effects: list[Effect] = []
    added = dict(draft.status.added)
    for route in draft.facts.routes:
        if not route.is_adopted or not route.reachable or (draft.facts.leaving and not is_as_wanted(wanted, route)):
            continue
        over = _over(draft, route)
        listed = route.shares or {}
        kept = tuple(each for each in added.get(route.name, ()) if each in listed)
        if kept:
            added[route.name] = kept
        else:
            added.pop(route.name, None)
        if over or route.owned:
            base = draft.status.bases.get(route.name)
            effects.append(LeaveRoute(route.name, over, base.absent if base else ()))
    if added != draft.status.added:
        draft.update(added=added)
    return tuple(effects)


def _over(draft: Draft, route: RouteFacts) -> tuple[str, ...]:
    """Return the versions whose backend was added to a route, and that get nothing there any more."""
    if draft.is_standby and not draft.facts.leaving:
        return ()
    stable, shares = draft.status.stable_version, route.shares or {}
    return tuple(each for each in draft.status.added.get(route.name, ()) if each != stable and shares.get(each, 1) == 0)


def _names(routes: Iterable[RouteFacts]) -> str:
    return words.listed(route.name for route in routes)
