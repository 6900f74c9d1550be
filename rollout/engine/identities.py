"""What both versions are made of: taken down in preflight, and watched for a change."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.model.status.vocabulary import Phase


def note_identities(context: PlanContext) -> None:
    """Take down what both versions are made of during the checks; notice when one changes under the rollout."""
    status, identities = context.status, context.facts.identities
    if status.phase is Phase.PREFLIGHT:
        fresh = {version: dict(parts) for version, parts in identities.items()}
        if fresh and fresh != context.release.identities:
            context.update_release(identities=fresh, identity_drift="")
        return
    if not status.is_active or not identities:
        return
    changed = []
    for version, parts in identities.items():
        before = context.release.identities.get(version)
        if before is not None and before != dict(parts):
            named = sorted(part for part in {*before, *parts} if before.get(part) != parts.get(part))
            changed.append(f"{version}: {messages.listed(named)}")
    drift = "; ".join(changed)
    if drift != context.release.identity_drift:
        context.update_release(identity_drift=drift)
        message = f"a version has changed since the preflight: {drift}" if drift else "the versions are as before"
        context.record("traffic", message=message)
