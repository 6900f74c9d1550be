"""`plan`: the one function that decides. It performs no I/O, reads no clock and draws no random number.

    observe -> plan -> apply -> verify -> record

The same facts always give the same plan; the daemon, the CLI, the property tests and the crash tests all call this.
"""

from __future__ import annotations

from datetime import datetime

from rollout.engine.capacity import note_endpoints
from rollout.engine.check_runs import follow_checks
from rollout.engine.commands.dispatch import carry_all
from rollout.engine.conditions import conditions_of
from rollout.engine.context import PlanContext
from rollout.engine.conversations.drain import follow_drains
from rollout.engine.conversations.pins import note_pins
from rollout.engine.effects import Effect
from rollout.engine.eligibility import failed_after, starts_by_itself
from rollout.engine.facts import Facts
from rollout.engine.identities import note_identities
from rollout.engine.next_step import next_step
from rollout.engine.notices import note_notices
from rollout.engine.phases.turns import take_turn
from rollout.engine.planned import Plan
from rollout.engine.releases import finished
from rollout.engine.requeue import requeue_after_s
from rollout.engine.rollback.triggers import react
from rollout.engine.routes.adoption import note_routes
from rollout.engine.routes.blocked import note_blocked
from rollout.engine.routes.changes import changes_of
from rollout.engine.routes.drift import follow_traffic
from rollout.engine.routes.roles import note_roles, note_serving
from rollout.engine.sampling import take_sample
from rollout.engine.state.compatibility import note_state
from rollout.engine.transitions import Event, allows
from rollout.engine.workers import note_workers
from rollout.model.api.policy import PolicySpec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import HeldBy, Phase, Reason


def plan(rollout: Rollout, policy: PolicySpec, facts: Facts, now: datetime) -> Plan:
    """Decide what follows from the facts.

    Args:
        policy: as declared now; once a rollout has begun the pinned one in `rollout.status` is the effective one.
        now: an aware time.
    """
    context = PlanContext(rollout, policy, facts, now)
    carry_all(context)
    _follow_spec(context)
    note_routes(context)
    note_roles(context)
    note_identities(context)
    note_workers(context)
    note_endpoints(context)
    follow_traffic(context)
    follow_checks(context)
    note_state(context)
    follow_drains(context)
    take_sample(context)
    react(context)
    take_turn(context)
    note_serving(context)
    note_pins(context)
    note_blocked(context)
    context.update(next=next_step(context))
    note_notices(context, rollout.status)
    effects = changes_of(context)
    return _whole(context, effects, before=rollout.status)


def _whole(context: PlanContext, effects: tuple[Effect, ...], before: Status) -> Plan:
    status, resource = context.finish(effects), context.facts.resource
    return Plan(
        status,
        effects,
        decisions=tuple(context.decisions),
        answers=tuple(context.answers),
        finished=finished(before, status, context.now) if context.decisions else None,
        conditions=conditions_of(
            status,
            context.spec.version,
            resource.conditions,
            generation=resource.generation,
            now=context.now,
            trouble=resource.trouble,
        ),
        requeue_after_s=requeue_after_s(before, context, effects),
    )


def _follow_spec(context: PlanContext) -> None:
    """React to what is declared: another version, or a pause."""
    wanted = context.spec.version
    if context.status.declined_version not in (None, wanted):
        context.update(declined_version=None)  # somebody has changed their mind: the next time it is wanted anew
    status = context.status
    if (
        status.is_active
        and wanted is not None
        and wanted not in (status.candidate_version, status.declined_version)
        and (not context.release.undoing or starts_by_itself(status, wanted))
        and not status.goes_back
        and status.phase is not Phase.DRAINING
    ):
        message = f"{wanted} is wanted instead of {status.candidate_version}: first back to {status.stable_version}"
        context.go(Event.SUPERSEDE, Reason.SUPERSEDED, message, failed=failed_after(status))
    elif context.spec.paused and status.phase is not Phase.PAUSED and allows(status.phase, Event.HOLD):
        context.hold(HeldBy.SPEC, Reason.PAUSED_BY_HUMAN, "spec.paused is true")
