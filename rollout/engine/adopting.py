"""What belongs to others and is only borrowed: the base of a route's weights, a sleeping version's replicas, and what
the versions are made of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollout.engine import words
from rollout.engine.draft import Draft
from rollout.engine.route import Effect, SetWeight, Wake
from rollout.model.status import Base, Phase
from rollout.model.units import FULL_BP

FINEST_BASE = FULL_BP
"""A base that expresses every weight that can be written."""


def note_bases(draft: Draft) -> None:
    """Remember what weights add up to before we change them, and choose what to write them on."""
    status = draft.status
    if status.phase in (Phase.STABLE, Phase.ROLLED_BACK):
        if status.bases and not draft.decisions:  # they are restored
            draft.update(bases={})
        return
    if status.phase is not Phase.PREFLIGHT:
        return
    weights = [step.weight_bp for step in draft.way.steps]
    found = dict(status.bases)
    for route in draft.facts.routes:
        if route.is_adopted and route.reachable and route.base is not None:
            original = found[route.name].original if route.name in found else route.base
            found[route.name] = Base(original=original, used=_base_for(weights, original, route.usual_base))
    if found != status.bases:
        draft.update(bases=found)


def _base_for(weights_bp: Iterable[int], original: int, usual: int) -> int:
    """Return the first base on which every step is a whole number: the one found, the usual one, the finest."""
    bases = (original, usual, FINEST_BASE)
    return next(base for base in bases if base > 0 and all(bp * base % FULL_BP == 0 for bp in weights_bp))


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


def tidy(draft: Draft, wanted: SetWeight | None) -> tuple[Effect, ...]:
    """Let a backend that is over be taken out of the routes that allow it, once nothing is under way."""
    settled = draft.status.phase in (Phase.STABLE, Phase.ROLLED_BACK) and not draft.is_standby
    if wanted is None or not settled:
        return ()
    left = [route for route in draft.facts.routes if route.leftover and route.owner == wanted.stable]
    return (replace(wanted, candidate=None),) if left else ()
