"""How many endpoints of both versions take requests: kept from count to count."""

from __future__ import annotations

from rollout.engine.context import PlanContext


def note_endpoints(context: PlanContext) -> None:
    """Keep the newest count of both versions, while a release is under way."""
    counted = context.facts.endpoints
    if context.status.is_active and counted and dict(counted) != context.release.endpoints:
        context.update_release(endpoints=dict(counted))
