"""What both versions are made of: taken down in preflight, and watched for a change."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.model.status.vocabulary import Phase


def note_identities(context: PlanContext) -> None:
    """Take down what both versions are made of during the checks; notice when one changes under the rollout."""
    status, identities = context.status, context.facts.identities
    if not identities or not status.is_active:
        return
    known = {} if status.phase is Phase.PREFLIGHT else context.release.identities
    taken = {version: known.get(version, dict(parts)) for version, parts in identities.items()}
    drift = "; ".join(
        f"{version}: {messages.listed(parts)}"
        for version, now in identities.items()
        if (parts := changed_parts(taken[version], now))
    )
    was_told = context.release.identity_drift
    if taken != context.release.identities or drift != was_told:
        context.update_release(identities=taken, identity_drift=drift)
    if drift != was_told and status.phase is not Phase.PREFLIGHT:
        message = f"a version has changed since the preflight: {drift}" if drift else "the versions are as before"
        context.record("traffic", message=message)


def changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the parts that are others now. What is not known at either time has not changed.

    A part may be several things at once, such as the images of pods on other kinds of machines: fewer are no change.
    """
    both = before.keys() & now.keys()
    return sorted(part for part in both if set(now[part].split(",")) - set(before[part].split(",")))


def is_candidate_changed(context: PlanContext) -> bool:
    candidate = context.status.candidate_version or ""
    before, now = context.release.identities, context.facts.identities
    return bool(changed_parts(before.get(candidate, {}), now.get(candidate, {})))


def accept_drift(context: PlanContext) -> None:
    """Somebody has seen the change, and goes on: what the versions are made of next is what counts from here."""
    context.update_release(identities={}, identity_drift="")
