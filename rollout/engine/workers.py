"""What runs of the candidate and has no Service: no weight holds it back, so it is named before any traffic."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext

WORKERS_KEPT = 16


def note_workers(context: PlanContext) -> None:
    """Name, before any traffic, what takes part at any weight."""
    workers = context.facts.workers
    if workers is None or workers[:WORKERS_KEPT] == context.release.workers:
        return
    context.update_release(workers=workers[:WORKERS_KEPT])
    for worker in workers[:WORKERS_KEPT]:
        context.record("traffic", message=messages.works_at_any_weight(worker, context.status.candidate_version or ""))
